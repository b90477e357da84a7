#include "host/database/backend_identity.hpp"

#include "host/database/connection_settings.hpp"
#include "host/database/pooler.hpp"

namespace summa::host {
namespace {

std::string CellText(const PgResult& result, int column) {
  return PQgetvalue(result.get(), 0, column);
}

void MakeSettings(PqConnection& connection, const DatabaseSettings& settings, bool read_only,
                  PqConnection::TimePoint deadline) {
  connection.Query(SettingsStatement(SessionSettings(settings, read_only)), deadline);
}

}  // namespace

const char* const kServerLifeColumns =
    "(extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint, "
    "coalesce(pg_catalog.pg_last_wal_replay_lsn()::text, '')";

BackendIdentity Identify(PqConnection& connection, const DatabaseSettings& settings, bool read_only,
                         PqConnection::TimePoint deadline) {
  const PgResult row = connection.Query(
      std::string("SELECT a.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint, ") +
          kServerLifeColumns +
          " FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a",
      deadline);
  if (PQntuples(row.get()) != 1) throw ConnectionLost("the backend does not know itself", "");
  BackendIdentity identity{
      std::stoi(CellText(row, 0)), CellText(row, 1), {CellText(row, 2), CellText(row, 3)}};
  if (BehindPooler(PQbackendPID(connection.raw()), identity.pid)) {
    RequireSessionPooling(settings);
    MakeSettings(connection, settings, read_only, deadline);
  }
  return identity;
}

}  // namespace summa::host
