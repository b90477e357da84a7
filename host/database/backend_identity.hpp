// Who serves a connection: asked once, when it was opened. Only for host/database.
//
// The backend is named by its process id and its start, so that nobody else is ever ended in its
// place. The life of the server changes with every start and every recovery after a crash: within
// one life a transaction number belongs to one transaction; a crash can lose numbers whose
// transactions were not yet on disk, and they are given out again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/database/pq_connection.hpp"
#include "host/database/session.hpp"

namespace summa::host {

struct ServerLife {
  std::string started_at;    // microseconds since 1970, by the server's clock
  std::string recovered_to;  // position in the log; empty: it started after a clean stop
  bool operator==(const ServerLife&) const = default;
};

struct BackendIdentity {
  int pid = 0;
  std::string started_at;  // microseconds since 1970
  ServerLife server;
};

// SQL for the two columns of a ServerLife.
extern const char* const kServerLifeColumns;

// Asks the backend of a connection that was just opened. Behind a connection pooler: SH-0420, or,
// when it keeps one backend per client, its settings are made here because poolers drop those of
// the connection (read_only as in MakeConnectionParameters).
BackendIdentity Identify(PqConnection& connection, const DatabaseSettings& settings, bool read_only,
                         PqConnection::TimePoint deadline);

}  // namespace summa::host
