// What keeps PostgreSQL from removing dead rows: the outbox is read through them, and a reader of
// events waits for transactions that are older than what it reads.
#include "host/doctor/checks.hpp"

namespace summa::host {
namespace {

std::string Limit(const CheckContext& context) {
  return FormatDuration(context.options.held_longer_than.count());
}

std::string Seconds(const CheckContext& context) {
  return std::to_string(std::chrono::duration<double>(context.options.held_longer_than).count());
}

// PostgreSQL's own words for a session that the role may not look into.
constexpr const char* kCannotSee =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND query = '<insufficient privilege>'";

constexpr const char* kHolders =
    "SELECT pid, coalesce(usename, '?'), coalesce(nullif(application_name, ''), '?'), state, "
    "extract(epoch FROM clock_timestamp() - xact_start)::bigint, "
    "to_char(query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), "
    "coalesce(age(backend_xmin), 0) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = current_database() "
    "AND backend_type IS DISTINCT FROM 'autovacuum worker' "
    "AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) "
    "AND clock_timestamp() - xact_start > $1::float8 * interval '1 second' ORDER BY xact_start";

}  // namespace

void CheckTransactions(const CheckContext& context) {
  for (const auto& row : context.database.Query(kHolders, {Seconds(context)})) {
    const std::string pid = row.at(0).value_or("");
    context.Warn("held-snapshot",
                 "pid " + pid + " (" + row.at(1).value_or("") + ", " + row.at(2).value_or("") +
                     ") has been in a transaction for " + row.at(4).value_or("") + " s, " +
                     row.at(3).value_or("") + ", last query started " + row.at(5).value_or("?") +
                     ", " + row.at(6).value_or("0") + " transactions old",
                 "no transaction open for more than " + Limit(context),
                 "Find out what it does; SELECT pg_terminate_backend(" + pid + "); ends it.");
  }
  if (const std::string hidden = context.database.Value(kCannotSee); hidden != "0") {
    context.Warn("held-snapshot", hidden + " sessions of other roles cannot be examined",
                 "the right to see their transactions",
                 "GRANT pg_read_all_stats TO " +
                     context.database.Value("SELECT quote_ident(current_user)") + ";");
  }
  for (const Finding& finding : context.findings) {
    if (finding.check == "held-snapshot") return;
  }
  context.Ok("held-snapshot", "no transaction is open for more than " + Limit(context));
}

void CheckPreparedTransactions(const CheckContext& context) {
  const ControlRows rows = context.database.Query(
      "SELECT quote_literal(gid), owner, extract(epoch FROM clock_timestamp() - prepared)::bigint "
      "FROM pg_prepared_xacts WHERE database = current_database() "
      "AND clock_timestamp() - prepared > $1::float8 * interval '1 second' ORDER BY prepared",
      {Seconds(context)});
  for (const auto& row : rows) {
    const std::string gid = row.at(0).value_or("");
    std::string found = gid + " of " + row.at(1).value_or("");
    found.append(" has been waiting for ").append(row.at(2).value_or("")).append(" s");
    std::string fix = "Let its coordinator end it, or COMMIT PREPARED ";
    fix.append(gid).append("; or ROLLBACK PREPARED ").append(gid).append(";");
    context.Warn("prepared-transaction", std::move(found), "none older than " + Limit(context),
                 std::move(fix));
  }
  if (rows.empty()) context.Ok("prepared-transaction", "none older than " + Limit(context));
}

void CheckReplicationSlots(const CheckContext& context) {
  const ControlRows rows = context.database.Query(
      "SELECT quote_literal(slot_name), active, coalesce(wal_status, '?'), "
      "coalesce(greatest(age(xmin), age(catalog_xmin)), 0) FROM pg_replication_slots "
      "WHERE NOT active OR wal_status IN ('extended', 'unreserved', 'lost') ORDER BY slot_name");
  for (const auto& row : rows) {
    const std::string slot = row.at(0).value_or("");
    context.Warn("replication-slot",
                 slot + (row.at(1) == "t" ? " is behind" : " is not used") + ", WAL " +
                     row.at(2).value_or("") + ", holds dead rows of " + row.at(3).value_or("0") +
                     " transactions",
                 "only slots that are read",
                 "Start its reader, or SELECT pg_drop_replication_slot(" + slot +
                     "); when it is not needed: it keeps WAL and dead rows forever.");
  }
  if (rows.empty()) context.Ok("replication-slot", "none is left behind");
}

}  // namespace summa::host
