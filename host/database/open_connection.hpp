// How every connection is opened: the addresses of the URL in turn, each with a share of the time,
// until one leads to a server that will do; then its settings. Thread-safe. Only for host/database.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/database/backend_identity.hpp"
#include "host/database/pq_connection.hpp"
#include "host/database/session.hpp"

namespace summa::host {

struct OpenedConnection {
  std::unique_ptr<PqConnection> connection;
  BackendIdentity identity;
};

// The address that was good last is tried first, those that failed last at the end. SH-0401 when
// none answers until the deadline; SH-0423 when servers answer and none takes writes though
// settings.must_write; SH-0424 when one of them was left behind by a promotion; SH-0420 behind a
// pooler that cannot be used; SH-0418, SH-0226 to SH-0229 when the URL is wrong. A signal of `wake`
// ends it. read_only: writes fail with 25006 outside a transaction that was begun read-write.
OpenedConnection OpenConnection(const DatabaseSettings& settings, bool read_only, WakeUp& wake,
                                PqConnection::OnWake on_wake, PqConnection::TimePoint deadline);

// Until when a connection may take that has no other deadline: settings.connect_timeout, or longer
// when the URL has a connect_timeout.
PqConnection::TimePoint ConnectDeadline(const DatabaseSettings& settings);

}  // namespace summa::host
