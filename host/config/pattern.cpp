#include "host/config/pattern.hpp"

#include <map>
#include <regex>
#include <summa/mutex.hpp>

namespace summa::host {
namespace {

struct Compiled {
  Mutex mutex;
  // Nothing is taken out: what find() gave stays valid.
  std::map<std::string, std::regex> patterns SUMMA_GUARDED_BY(mutex);
};

const std::regex& Compile(const std::string& pattern) {
  static Compiled& compiled = *new Compiled;
  const MutexLock lock(compiled.mutex);
  const auto known = compiled.patterns.find(pattern);
  if (known != compiled.patterns.end()) return known->second;
  return compiled.patterns.emplace(pattern, std::regex(pattern)).first->second;
}

}  // namespace

bool MatchesPattern(std::string_view text, const std::string& pattern) {
  return std::regex_match(text.begin(), text.end(), Compile(pattern));
}

}  // namespace summa::host
