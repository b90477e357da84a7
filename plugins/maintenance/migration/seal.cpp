#include "migration/seal.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "partition/ddl.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kWriters = R"sql(
SELECT DISTINCT virtualtransaction AS writer FROM pg_locks
WHERE locktype = 'relation' AND granted AND mode = 'RowExclusiveLock' AND relation = ANY ($1::bigint[]::oid[])
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))sql";

constexpr const char* kNames = R"sql(
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::bigint[]::oid[]))sql";

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

std::string DescribeWriters(Session& session, const std::vector<std::int64_t>& tree,
                            const std::vector<std::string>& writers) {
  std::vector<LockRequest> locks;
  for (const Row row : session.Exec(kNames, {IntegerArray(tree)})) {
    locks.push_back({row.Get<std::string>("name"), LockMode::kShareRowExclusive});
  }
  std::string who;
  for (const Blocker& blocker : BlockersOf(session, locks)) {
    if (AnyOf(writers, {blocker.transaction})) who += (who.empty() ? ": " : ", ") + blocker.what;
  }
  return "a writer has not ended its transaction" + who;
}

}  // namespace

Sealed SealedPosition(Session& session, const WorkCaller& caller, const std::string& table,
                      const std::string& position, const std::vector<std::int64_t>& tree,
                      std::chrono::microseconds patience) {
  // First the position, then who writes: whoever comes later draws a higher number.
  const auto highest =
      session.Exec("SELECT coalesce(max(" + position + "), 0) FROM " + table).Value<std::int64_t>();
  const std::vector<std::string> writers = WritersOf(session, tree);
  const BootTime until = caller.now() + patience;
  while (AnyOf(writers, WritersOf(session, tree))) {
    if (caller.now() >= until || caller.should_stop() || caller.wait(kPause)) {
      return {std::nullopt, DescribeWriters(session, tree, writers)};
    }
  }
  return {highest, ""};
}

}  // namespace summa::maintenance
