#include "host/observe/line_fold.hpp"

#include <summa/text.hpp>

namespace summa::host {
namespace {
constexpr Microseconds kWindow = std::chrono::seconds(10);
// Different lines remembered at once. Messages are constant texts, so a host has far fewer.
constexpr std::size_t kLimit = 1024;
// Of a line that is held back.
constexpr std::size_t kMaxFields = 32;
constexpr std::size_t kMaxFieldBytes = 500;
}  // namespace

std::optional<std::int64_t> LineFold::Admit(const std::string& key, BootTime now,
                                            std::span<const LogField> fields) {
  if (seen_.size() >= kLimit) Forget(now);
  const auto [position, added] = seen_.try_emplace(key);
  Seen& seen = position->second;
  if (!added && now - seen.written < kWindow) {
    if (++seen.held_back == 1) ++folded_;
    seen.fields.clear();
    for (const LogField& field : fields) {
      if (seen.fields.size() == kMaxFields) break;
      seen.fields.emplace_back(field.name, Beginning(field.value, kMaxFieldBytes));
    }
    return std::nullopt;
  }
  const std::int64_t held_back = seen.held_back;
  if (held_back > 0) --folded_;
  seen = {now, 0, {}};
  return held_back;
}

std::vector<LineFold::Ended> LineFold::TakeEnded(BootTime now, bool all) {
  std::vector<Ended> ended;
  if (folded_ == 0) return ended;
  for (auto& [key, seen] : seen_) {
    if (seen.held_back == 0 || (!all && now - seen.written < kWindow)) continue;
    ended.push_back({key, seen.held_back, std::move(seen.fields)});
    seen = {now, 0, {}};
    --folded_;
  }
  return ended;
}

void LineFold::Clear() {
  seen_.clear();
  folded_ = 0;
}

void LineFold::Forget(BootTime now) {
  const auto old = [&](const auto& entry) { return now - entry.second.written >= kWindow; };
  std::erase_if(seen_, old);
  if (seen_.size() >= kLimit) seen_.clear();
  folded_ = 0;
  for (const auto& [key, seen] : seen_) folded_ += seen.held_back > 0 ? 1 : 0;
}

}  // namespace summa::host
