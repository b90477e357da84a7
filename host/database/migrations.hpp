// Applies the steps of the host and of plugins, and keeps in summa_host.schema_migration which were
// applied. Idempotent; safe with several programs at once. Thread-safe as far as its connection is.
#pragma once

#include <string>
#include <vector>

#include "host/database/control_connection.hpp"
#include "host/database/schema_step.hpp"

namespace summa::host {

// Every one of `steps`, with what the database says of it, and behind them those of the same owners
// that only the database knows. Works without the schema.
std::vector<MigrationStep> ReadMigrations(ControlTransaction& transaction,
                                          const std::vector<SchemaStep>& steps);

// Throws the first problem of the steps.
void RequireSound(const std::vector<MigrationStep>& steps);

// Applies the first missing step in `transaction` and returns it; nullopt: nothing is missing.
// SH-0413 when the role may not create the schema or change it, SH-0417 when the step itself fails,
// SH-0435 and SH-0436 before anything is applied.
std::optional<MigrationStep> ApplyNextMigration(ControlTransaction& transaction,
                                                const std::vector<SchemaStep>& steps);

}  // namespace summa::host
