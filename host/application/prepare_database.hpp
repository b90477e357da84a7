// Whether the database is one that this host can work with.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "host/application/schemas.hpp"
#include "host/application/settings.hpp"
#include "host/database/control_plane.hpp"

namespace summa::host {

// Migrates (`database.migrate: auto`) or checks that it is migrated, and finds the layout. Throws
// Failure: exit code 69 when the database cannot be asked, 78 when it is not migrated, has a step
// that does not fit (SH-0435, SH-0436), or is of another layout than configured.
Layout PrepareDatabase(ControlPlane& control, const Settings& settings, const Schemas& schemas);

// Whether PrepareDatabase may go well a moment later with nobody doing anything about it: the
// database is away, starts or is short of something, or somebody holds a lock.
bool IsTransient(const Error& error);

// Whether it is of the host's own databases, also when a plugin hands it on.
bool IsOfDatabase(const Error& error);

// Why it waits, for a log line: the error, and who holds locks on our tables, as far as that can be
// seen.
void LogWaiting(ControlPlane& control, const Error& error, Microseconds again_in);

// "ledger", and "read" when it is a database of its own. Opens no connection.
std::map<std::string, std::shared_ptr<SessionPool>> MakePools(const Settings& settings);

// Unique per process start, at most 100 characters: the holder of the leases of this process.
std::string MakeInstance(const std::string& host_name);

}  // namespace summa::host
