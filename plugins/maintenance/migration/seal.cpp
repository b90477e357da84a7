#include "migration/seal.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace summa::maintenance {
namespace {

constexpr const char* kWriters = R"sql(
SELECT DISTINCT virtualtransaction AS writer FROM pg_locks
WHERE locktype = 'relation' AND granted AND mode = 'RowExclusiveLock' AND relation = ANY ($1::bigint[]::oid[])
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))sql";

constexpr std::chrono::milliseconds kPause{20};

std::vector<std::string> WritersOf(Session& session, const std::vector<std::int64_t>& tree) {
  std::vector<std::string> writers;
  for (const Row row : session.Exec(kWriters, {IntegerArray(tree)})) {
    writers.push_back(row.Get<std::string>("writer"));
  }
  return writers;
}

bool AnyOf(const std::vector<std::string>& writers, const std::vector<std::string>& now) {
  return std::any_of(writers.begin(), writers.end(), [&](const std::string& writer) {
    return std::find(now.begin(), now.end(), writer) != now.end();
  });
}

}  // namespace

std::optional<std::int64_t> SealedPosition(Session& session, const WorkCaller& caller,
                                           const std::string& table, const std::string& position,
                                           const std::vector<std::int64_t>& tree,
                                           std::chrono::microseconds patience) {
  // First the position, then who writes: whoever comes later draws a higher number.
  const auto highest =
      session.Exec("SELECT coalesce(max(" + position + "), 0) FROM " + table).Value<std::int64_t>();
  const std::vector<std::string> writers = WritersOf(session, tree);
  const BootTime until = caller.now() + patience;
  while (AnyOf(writers, WritersOf(session, tree))) {
    if (caller.now() >= until || caller.should_stop() || caller.wait(kPause)) return std::nullopt;
  }
  return highest;
}

}  // namespace summa::maintenance
