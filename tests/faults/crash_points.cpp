#include "tests/faults/crash_points.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "tests/services/shared_data.hpp"

namespace summa::test {
namespace {

// The first thing that a host does when it is told to stop.
constexpr char kShutdownMark[] = "host.draining";
// A point that a short run passes so often is certain to be passed a few times by the next run.
constexpr long long kFrequent = 20;
// Behind the backlog that a round begins with, when work is done in another way.
constexpr int kLaterHit = 10;

// SplitMix64: small, and the same everywhere.
std::uint64_t NextRandom(std::uint64_t& state) {
  std::uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

}  // namespace

std::string Text(const CrashAt& at) { return at.name + ":" + std::to_string(at.hit); }

std::string Text(const std::vector<CrashAt>& kills) {
  std::string text;
  for (const CrashAt& at : kills) text.append(text.empty() ? "" : ",").append(Text(at));
  return text;
}

std::vector<CrashAt> ParseKills(const std::string& text) {
  std::vector<CrashAt> kills;
  std::istringstream list(text);
  for (std::string item; std::getline(list, item, ',');) {
    const std::size_t colon = item.find(':');
    if (colon == std::string::npos) throw std::runtime_error("no name:hit in " + text);
    kills.push_back({item.substr(0, colon), std::stoi(item.substr(colon + 1)), false});
  }
  return kills;
}

Recording::Recording(const std::string& path) {
  std::ifstream file(path);
  bool stopping = false;
  for (std::string line; std::getline(file, line);) {
    ++counts_[line];
    stopping |= line == kShutdownMark;
    if (!stopping) running_.insert(line);
  }
}

std::set<std::string> Recording::Names() const {
  std::set<std::string> names;
  for (const auto& [name, count] : counts_) names.insert(name);
  return names;
}

long long Recording::Count(const std::string& name) const {
  const auto found = counts_.find(name);
  return found == counts_.end() ? 0 : found->second;
}

bool Recording::AtShutdown(const std::string& name) const { return !running_.contains(name); }

Recording Recording::Of(const std::vector<std::string>& beginnings) const {
  Recording some = *this;
  std::erase_if(some.counts_, [&](const auto& point) {
    return !beginnings.empty() &&
           std::none_of(beginnings.begin(), beginnings.end(), [&](const std::string& beginning) {
             return point.first.starts_with(beginning);
           });
  });
  return some;
}

std::vector<CrashAt> Recording::Kills() const {
  std::vector<CrashAt> kills;
  for (const auto& [name, count] : counts_) {
    kills.push_back(At(name, 1));
    if (count >= kFrequent && !AtShutdown(name)) kills.push_back(At(name, kLaterHit));
  }
  return kills;
}

std::vector<CrashAt> Recording::Pair(std::uint64_t seed) const {
  const CrashAt first = Random(seed);
  return {first, Random(seed)};
}

CrashAt Recording::Random(std::uint64_t& state) const {
  const auto random = NextRandom(state);
  auto point = counts_.begin();
  std::advance(point, random % counts_.size());
  const bool frequent = point->second >= kFrequent && !AtShutdown(point->first);
  const int hit = frequent ? 1 + static_cast<int>(NextRandom(state) % kLaterHit) : 1;
  return At(point->first, hit);
}

std::set<std::string> CrashPointsInSources(const std::vector<std::string>& folders) {
  namespace fs = std::filesystem;
  static const std::regex kCall("CrashPoint\\(\\s*\"([^\"]+)\"\\s*\\)");
  std::set<std::string> names;
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(SourceDir() + "/" + folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".hpp") continue;
      std::ifstream file(entry.path());
      const std::string text((std::istreambuf_iterator<char>(file)), {});
      for (std::sregex_iterator call(text.begin(), text.end(), kCall), end; call != end; ++call) {
        names.insert((*call)[1]);
      }
    }
  }
  return names;
}

}  // namespace summa::test
