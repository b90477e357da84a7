#include "manager/gates.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "manager_sql.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// Short transactions end in the meantime.
constexpr std::chrono::milliseconds kPause{100};
constexpr int kPauses = 30;

std::string WithoutReconciliation() {
  return "not verified: the tables of the plugin reconciliation do not exist. Enable the plugin, "
         "or "
         "set `require_verified: false`";
}

}  // namespace

std::optional<ledger::EventTable> EventsOf(Session& session, const PartitionedTable& table) {
  const bool there =
      session
          .Exec("SELECT to_regclass('ledger_event') IS NOT DISTINCT FROM $1::bigint::oid",
                {table.oid})
          .Value<bool>();
  if (!there) return std::nullopt;
  return ledger::FindEvents(session);
}

std::optional<std::string> WhyNotClosed(const Environment& environment, Session& session,
                                        const PartitionedTable& table, const Partition& partition) {
  const std::int64_t margin = environment.settings.closed_after.count();
  const bool over = session
                        .Exec(
                            "SELECT clock_timestamp() >= $1::timestamptz + $2::bigint * interval "
                            "'1 microsecond'",
                            {Timestamp(partition.to), margin})
                        .Value<bool>();
  if (!over) return "not closed: it ends at " + IsoText(partition.to, IsoDigits::kMilliseconds);
  std::string first;  // transactions that were open at the first look
  for (int look = 0;; ++look) {
    const Result open = session.Exec(manager_sql::open_before,
                                     {Timestamp(partition.to), table.oid, look == 0 ? "" : first});
    if (open.rows() == 0) return std::nullopt;
    const auto what = open[0].Get<std::string>("what");
    // What is known to be older is not waited for: the next run looks again.
    const bool known = open[0].Get<bool>("known");
    if (known || look >= kPauses || environment.caller.wait(kPause)) {
      return "not closed: " + what + " may have begun before its end";
    }
    if (look == 0) {
      for (const Row row : open) first += row.Get<std::string>("transaction") + " ";
    }
  }
}

std::optional<std::string> WhyNotVerified(const Environment& environment, Session& session,
                                          const ledger::EventTable& events,
                                          const Partition& partition) {
  if (!environment.settings.require_verified) return std::nullopt;
  const bool tables = session
                          .Exec(
                              "SELECT to_regclass('summa_host.block_seal') IS NOT NULL AND "
                              "to_regclass('summa_host.verification_part') IS NOT NULL")
                          .Value<bool>();
  if (!tables) return WithoutReconciliation();
  const std::vector<std::pair<std::string, std::string>> names = {
      {"partition", partition.quoted}, {"position", events.position}, {"version", events.version}};
  session.Begin(SUMMA_SQL_READ_ONLY);
  LiftStatementTimeout(session);
  const auto unsealed = session.Exec(WithNames(manager_sql::unsealed, names)).Value<std::int64_t>();
  // A verification that began at the end of the range may have missed what was committed then.
  const DatabaseTime since = partition.to + environment.settings.closed_after;
  const Result parts = session.Exec(manager_sql::unverified_parts, {Timestamp(since)});
  const auto stale = parts[0].Get<std::int64_t>("stale");
  const auto findings = parts[0].Get<std::int64_t>("findings");
  std::int64_t unverified = 0;
  if (stale > 0) {
    unverified = session.Exec(WithNames(manager_sql::unverified, names)).Value<std::int64_t>();
  }
  session.Rollback();
  if (unsealed > 0) {
    return "not verified: " + std::to_string(unsealed) +
           " events are in no block; `block-checkpoint` seals them";
  }
  if (findings > 0) {
    return "not verified: rolling-verification has " + std::to_string(findings) +
           " findings; `summa-host verify all` names them";
  }
  if (unverified > 0) {
    return "not verified: " + std::to_string(stale) +
           " parts of rolling-verification are older than the close of the range, and " +
           std::to_string(unverified) +
           " aggregates have no snapshot of their last event; `summa-host verify "
           "create-snapshots` makes them";
  }
  return std::nullopt;
}

}  // namespace summa::maintenance
