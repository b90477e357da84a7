// `migrate partition-event-store`.
#pragma once

#include <summa/command.hpp>
#include <summa/host.hpp>

#include "migration/migration.hpp"

namespace summa::maintenance {

// Runs under the lease of the worker partition-migration: it does the work itself, and a host that
// is running goes on when it is stopped. Without --yes it stops before anything that applications
// notice.
CommandResult MigrateToPartitions(const CommandCall& call, const Host& host, Migration& migration);

}  // namespace summa::maintenance
