#include "host/database/backend_identity.hpp"

#include <charconv>
#include <system_error>

#include "host/database/pooler.hpp"
#include "host/database/session_settings.hpp"

namespace summa::host {
namespace {

std::string CellText(const PgResult& result, int column) {
  return PQgetvalue(result.get(), 0, column);
}

// The default of a role or database may be shorter than the statement that sets ours; what lifts it
// takes no time, and is tried until it comes through.
PgResult QueryWithoutTimeout(PqConnection& connection, const std::string& sql, int announced_pid,
                             PqConnection::TimePoint deadline) {
  const std::string lift =
      "SELECT pg_catalog.set_config('statement_timeout', '0', false) "
      "WHERE pg_catalog.pg_backend_pid() = " +
      std::to_string(announced_pid);
  for (bool timed_out = false;; timed_out = true) {
    try {
      if (timed_out) connection.Query(lift, deadline);
      return connection.Query(sql, deadline);
    } catch (const SqlFailure& failure) {
      const bool by_the_clock = failure.sqlstate() == "57014" && failure.error().code == "SH-0410";
      if (!by_the_clock || std::chrono::steady_clock::now() >= deadline) throw;
    }
  }
}

// How a server answers that has no such log or does not permit the query. Any other error is
// temporary: an old primary must not pass this check because it was short of memory.
bool HasNoHistory(const std::string& code) {
  return code == "SH-0405" || code == "SH-0406" || code == "SH-0412" || code == "SH-0414";
}

// Not everything that speaks this protocol has a write-ahead log to tell of (Aurora).
std::optional<ServerHistory> QueryHistory(PqConnection& connection,
                                          PqConnection::TimePoint deadline) {
  try {
    const PgResult row = connection.Query(
        "SELECT s.system_identifier, "
        "pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) "
        "FROM pg_catalog.pg_control_system() s",
        deadline);
    if (PQntuples(row.get()) != 1) return std::nullopt;
    return ReadHistory(CellText(row, 0), CellText(row, 1));
  } catch (const SqlFailure& failure) {
    if (connection.broken() || !HasNoHistory(failure.error().code)) throw;
    return std::nullopt;
  }
}

}  // namespace

std::optional<ServerHistory> ReadHistory(const std::string& system, const std::string& log_file) {
  constexpr std::size_t kTimelineDigits = 8;  // hexadecimal; the name begins with them
  if (system.empty() || log_file.size() < kTimelineDigits) return std::nullopt;
  ServerHistory history{system, 0};
  const char* end = log_file.data() + kTimelineDigits;
  const auto [stop, error] = std::from_chars(log_file.data(), end, history.timeline, 16);
  if (error != std::errc() || stop != end) return std::nullopt;
  return history;
}

const char* const kServerLifeColumns =
    "(extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint, "
    "coalesce(pg_catalog.pg_last_wal_replay_lsn()::text, '')";

// A backend that a pooler lends must not keep our settings: they are made only by the one that the
// connection was announced with.
BackendIdentity Identify(PqConnection& connection, const NewConnection& opened) {
  const int announced_pid = PQbackendPID(connection.raw());
  const int version = PQserverVersion(connection.raw());
  const auto settings = [&](int only_if_pid) {
    return SettingsExpression(opened.settings, opened.read_only, version, only_if_pid);
  };
  const PgResult row = QueryWithoutTimeout(
      connection,
      std::string("SELECT a.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint, ") +
          kServerLifeColumns +
          ", pg_catalog.pg_is_in_recovery(), "
          "pg_catalog.current_setting('default_transaction_read_only'), " +
          settings(announced_pid) +
          " FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a",
      announced_pid, opened.deadline);
  if (PQntuples(row.get()) != 1)
    throw ConnectionLost("the server did not return the identity of the backend", "");
  BackendIdentity identity;
  identity.pid = std::stoi(CellText(row, 0));
  identity.started_at = CellText(row, 1);
  identity.server = {CellText(row, 2), CellText(row, 3)};
  identity.in_recovery = CellText(row, 4) == "t";
  identity.read_only_by_default = CellText(row, 5) == "on";
  if (BehindPooler(announced_pid, identity.pid)) {
    RequireSessionPooling(opened.parameters, opened.deadline);
    connection.Query("SELECT " + settings(0), opened.deadline);
  }
  if (opened.settings.must_write && !identity.in_recovery) {
    identity.history = QueryHistory(connection, opened.deadline);
  }
  return identity;
}

}  // namespace summa::host
