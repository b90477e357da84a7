#include "host/database/backend_identity.hpp"

#include "host/database/pooler.hpp"
#include "host/database/session_settings.hpp"

namespace summa::host {
namespace {

std::string CellText(const PgResult& result, int column) {
  return PQgetvalue(result.get(), 0, column);
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
  const PgResult row = connection.Query(
      std::string("SELECT a.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint, ") +
          kServerLifeColumns +
          ", pg_catalog.pg_is_in_recovery(), "
          "pg_catalog.current_setting('default_transaction_read_only'), " +
          settings(announced_pid) +
          " FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a",
      opened.deadline);
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
  return identity;
}

}  // namespace summa::host
