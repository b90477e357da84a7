// The settings of every session, pinned after connecting whatever role, database and environment
// say: what a statement reads and writes must not depend on them. Thread-safe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/database/session.hpp"

namespace summa::host {

// By name; what this version of the server knows (150003). read_only: writes fail with 25006
// outside a transaction that was begun read-write.
std::vector<std::pair<std::string, std::string>> SessionSettings(const DatabaseSettings& settings,
                                                                 bool read_only,
                                                                 int server_version);

// An expression of SQL that makes all of them for the whole session, if the backend is the one
// with this process id; 0: any. Its value is the number of settings that were made.
std::string SettingsExpression(const DatabaseSettings& settings, bool read_only, int server_version,
                               int only_if_pid);

// A query for them: name, and the value in the server's own words.
std::string ShowSettings(const DatabaseSettings& settings, bool read_only, int server_version);

// Makes them again in a session that has had them; `shown` is what ShowSettings() gave then. It may be
// run after every use of a session: only what has changed is made, which is quicker by far.
std::string SettingsStatement(const std::vector<std::pair<std::string, std::string>>& shown);

}  // namespace summa::host
