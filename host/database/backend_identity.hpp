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

// A promotion begins the next timeline of the same system: of two servers that take writes, the one
// on the lower timeline was left behind.
struct ServerHistory {
  std::string system;
  std::uint32_t timeline = 0;
};

// log_file: the name of a file of the write-ahead log; nullopt: it is none.
std::optional<ServerHistory> ReadHistory(const std::string& system, const std::string& log_file);

struct BackendIdentity {
  int pid = 0;
  std::string started_at;  // microseconds since 1970
  ServerLife server;
  std::optional<ServerHistory> history = {};  // when it must take writes and tells it
  std::string server_name = {};  // "host (address):port", as the URL and the resolver name it
  bool in_recovery = false;
  bool read_only_by_default = false;  // before our settings
};

// SQL for the two columns of a ServerLife.
extern const char* const kServerLifeColumns;

struct NewConnection {
  const DatabaseSettings& settings;
  const ConnectionParameters& parameters;  // that it was opened with
  bool read_only;                          // as in SessionSettings
  PqConnection::TimePoint deadline;
};

// Asks the backend of a connection that was just opened who it is, and makes the settings of the
// session, in one round trip. Behind a connection pooler: SH-0420, and nothing was set; or, when it
// keeps one backend per client, two round trips more. One more for the history.
BackendIdentity Identify(PqConnection& connection, const NewConnection& opened);

}  // namespace summa::host
