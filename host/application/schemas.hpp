// What is to stand in the databases: the steps of the host and of the plugins of a plan.
#pragma once

#include <string>
#include <vector>

#include "host/application/settings.hpp"
#include "host/database/control_plane.hpp"

namespace summa::host {

// In the order in which they are applied: the host's first, then those of each plugin after those
// of the plugins that it requires.
struct Schemas {
  std::vector<SchemaStep> ledger;  // and those for "read" behind them, when that is no database
  std::vector<SchemaStep> read;    // of its own
};
Schemas SchemasOf(const Settings& settings, const Plan& plan);

// ControlPlane::Migrations and ControlPlane::Migrate of both databases, the ledger first. `control`
// is the ledger's; the read database is asked only when it has steps.
std::vector<MigrationStep> Migrations(ControlPlane& control, const Settings& settings,
                                      const Schemas& schemas);
std::vector<MigrationStep> Migrate(ControlPlane& control, const Settings& settings,
                                   const Schemas& schemas);

// "1 host, 3 schedule, outbox 1 outbox"
std::string NamesOf(const std::vector<MigrationStep>& steps);

}  // namespace summa::host
