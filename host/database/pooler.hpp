// Connection poolers between us and the server (pgbouncer and its like). One that gives every
// transaction another backend cannot be used: prepared statements and the read-only default of a
// session would be those of somebody else. Thread-safe.
#pragma once

#include <chrono>

#include "host/database/database_url.hpp"

namespace summa::host {

// A pooler makes up the process id that a connection is told when it is opened.
inline bool BehindPooler(int announced_pid, int backend_pid) {
  return announced_pid != backend_pid;
}

// Finds out with two more connections side by side whether each keeps a backend of its own;
// remembered for the parameters when it is so. SH-0420 when not, SH-0401 when it could not be found
// out.
void RequireSessionPooling(const ConnectionParameters& parameters,
                           std::chrono::steady_clock::time_point deadline);

}  // namespace summa::host
