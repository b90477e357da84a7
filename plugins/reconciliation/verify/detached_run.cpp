#include "detached_run.hpp"

#include <array>
#include <charconv>
#include <system_error>

namespace summa::verify {
namespace {

constexpr std::size_t kFields = 5;

std::string_view TakeUntil(std::string_view& text, char end) {
  const std::string_view field = text.substr(0, text.find(end));
  text.remove_prefix(field.size() < text.size() ? field.size() + 1 : text.size());
  return field;
}

std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void Differ(Bridge& bridge, const std::string& expected, const std::string& found) {
  if (expected == found || !bridge.found.empty()) return;
  bridge.expected = expected.empty() ? "none" : expected;
  bridge.found = found.empty() ? "none" : found;
}

}  // namespace

std::vector<DetachedRun> ParseRuns(std::string_view text) {
  std::vector<DetachedRun> runs;
  while (!text.empty()) {
    std::string_view run = TakeUntil(text, ';');
    std::array<std::string_view, kFields> fields;
    for (std::string_view& field : fields) field = TakeUntil(run, ',');
    const auto first = Number(fields[0]), last = Number(fields[1]);
    if (!first || !last) break;
    runs.push_back(
        {*first, *last, std::string(fields[2]), std::string(fields[3]), std::string(fields[4])});
  }
  return runs;
}

std::optional<Bridge> FindBridge(const std::vector<DetachedRun>& runs, std::int64_t version) {
  Bridge bridge;
  const DetachedRun* lowest = nullptr;
  for (const DetachedRun& run : runs) {
    const std::int64_t next = (lowest == nullptr ? version : lowest->first) - 1;
    if (run.last > next) continue;
    if (run.last < next) break;
    if (lowest == nullptr) {
      bridge.hash = run.last_hash;
    } else {
      Differ(bridge, lowest->first_previous_hash, run.last_hash);
    }
    lowest = &run;
    if (run.first <= 1 || !run.predecessor_hash.empty()) break;
  }
  if (lowest == nullptr) return std::nullopt;
  if (lowest->first > 1 && lowest->predecessor_hash.empty()) return std::nullopt;
  Differ(bridge, lowest->first_previous_hash, lowest->predecessor_hash);
  return bridge;
}

}  // namespace summa::verify
