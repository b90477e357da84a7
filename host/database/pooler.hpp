// Connection poolers between us and the server (pgbouncer and its like). One that gives every
// transaction another backend cannot be used: prepared statements and the read-only default of a
// session would be those of somebody else. Thread-safe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/database/session.hpp"

namespace summa::host {

// A pooler makes up the process id that a connection is told when it is opened.
inline bool BehindPooler(int announced_pid, int backend_pid) {
  return announced_pid != backend_pid;
}

// Finds out with two connections side by side whether each keeps a backend of its own; remembered
// for the URL when it is so. SH-0420 when not, SH-0401 when it could not be found out.
void RequireSessionPooling(const DatabaseSettings& settings);

// SELECT set_config(...) of all of them, for the whole session.
std::string SettingsStatement(const std::vector<std::pair<std::string, std::string>>& settings);

}  // namespace summa::host
