#include "host/observe/line_fold.hpp"

namespace summa::host {
namespace {
constexpr Microseconds kWindow = std::chrono::seconds(10);
// Different lines remembered at once. Messages are constant texts, so a host has far fewer.
constexpr std::size_t kLimit = 1024;
}  // namespace

std::optional<std::int64_t> LineFold::Admit(const std::string& key, Microseconds now) {
  if (seen_.size() >= kLimit) Forget(now);
  const auto [position, added] = seen_.try_emplace(key);
  Seen& seen = position->second;
  if (!added && now - seen.written < kWindow) {
    ++seen.held_back;
    return std::nullopt;
  }
  const std::int64_t held_back = seen.held_back;
  seen = {now, 0};
  return held_back;
}

void LineFold::Forget(Microseconds now) {
  std::erase_if(seen_, [&](const auto& entry) { return now - entry.second.written >= kWindow; });
  if (seen_.size() >= kLimit) seen_.clear();
}

}  // namespace summa::host
