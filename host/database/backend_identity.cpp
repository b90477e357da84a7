#include "host/database/backend_identity.hpp"

#include "host/database/pooler.hpp"
#include "host/database/session_settings.hpp"

namespace summa::host {
namespace {

std::string CellText(const PgResult& result, int column) {
  return PQgetvalue(result.get(), 0, column);
}

// The default of a role or database may be shorter than the statement that sets ours; what lifts it
// takes no time, and is tried until it comes through.
PgResult QueryUnhurried(PqConnection& connection, const std::string& sql, int announced_pid,
                        PqConnection::TimePoint deadline) {
  const std::string lift =
      "SELECT pg_catalog.set_config('statement_timeout', '0', false) "
      "WHERE pg_catalog.pg_backend_pid() = " +
      std::to_string(announced_pid);
  for (bool hurried = false;; hurried = true) {
    try {
      if (hurried) connection.Query(lift, deadline);
      return connection.Query(sql, deadline);
    } catch (const SqlFailure& failure) {
      const bool by_the_clock = failure.sqlstate() == "57014" && failure.error().code == "SH-0410";
      if (!by_the_clock || std::chrono::steady_clock::now() >= deadline) throw;
    }
  }
}

// Not everything that speaks this protocol has a write-ahead log to tell of (Aurora).
std::optional<ServerHistory> AskForHistory(PqConnection& connection,
                                           PqConnection::TimePoint deadline) {
  try {
    const PgResult row = connection.Query(
        "SELECT s.system_identifier, "
        "pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) "
        "FROM pg_catalog.pg_control_system() s",
        deadline);
    const std::string file =
        CellText(row, 1);  // begins with the timeline, eight hexadecimal digits
    return ServerHistory{CellText(row, 0),
                         static_cast<std::uint32_t>(std::stoul(file.substr(0, 8), nullptr, 16))};
  } catch (const SqlFailure&) {
    if (connection.broken()) throw;
    return std::nullopt;
  }
}

}  // namespace

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
  const PgResult row = QueryUnhurried(
      connection,
      std::string("SELECT a.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint, ") +
          kServerLifeColumns +
          ", pg_catalog.pg_is_in_recovery(), "
          "pg_catalog.current_setting('default_transaction_read_only'), " +
          settings(announced_pid) +
          " FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a",
      announced_pid, opened.deadline);
  if (PQntuples(row.get()) != 1) throw ConnectionLost("the backend does not know itself", "");
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
    identity.history = AskForHistory(connection, opened.deadline);
  }
  return identity;
}

}  // namespace summa::host
