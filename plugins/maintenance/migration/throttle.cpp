#include "migration/throttle.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace summa::maintenance {
namespace {

constexpr const char* kStandbys = R"sql(
SELECT coalesce(application_name, '') AS name, state IS NULL AS hidden,
       coalesce(extract(epoch FROM replay_lag), 0)::float8 AS lag_seconds,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint AS lag_bytes
FROM pg_stat_replication WHERE state IS NULL OR state IN ('streaming', 'catchup'))sql";

std::string LagReason(Session& session, const ThrottleLimits& limits) {
  for (const Row standby : session.Exec(kStandbys)) {
    const auto name = standby.Get<std::string>("name");
    if (standby.Get<bool>("hidden")) {
      return "the lag of a standby is not visible: GRANT pg_read_all_stats to this role";
    }
    const auto bytes = standby.Get<std::int64_t>("lag_bytes");
    const double seconds = standby.Get<double>("lag_seconds");
    if (bytes > limits.replay_bytes ||
        seconds > std::chrono::duration<double>(limits.replay_lag).count()) {
      return "standby " + name + " is " + std::to_string(bytes / 1024 / 1024) + " MB behind";
    }
  }
  return "";
}

}  // namespace

std::string ThrottleReason(Session& session, const WorkCaller& caller, std::int64_t operation,
                           const ThrottleLimits& limits) {
  if (std::string lag = LagReason(session, limits); !lag.empty()) return lag;
  session.Begin();
  session.Exec("UPDATE summa_host.migration SET canary_at = clock_timestamp() WHERE operation = $1",
               {operation});
  const BootTime begin = caller.now();
  session.Commit();
  const std::chrono::microseconds took = caller.now() - begin;
  if (took <= limits.commit) return "";
  return "a small commit took " + std::to_string(took.count() / 1000) + " ms";
}

std::string ThrottleReason(const summa_sql_v1* sql, const WorkCaller& caller,
                           std::int64_t operation) {
  Session session(sql);
  return ThrottleReason(session, caller, operation);
}

}  // namespace summa::maintenance
