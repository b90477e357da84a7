// The numbered SQL steps of schema summa_host, embedded in the program. Idempotent; safe with two
// programs at once. Thread-safe as far as its connection is.
#pragma once

#include <string>
#include <vector>

#include "host/database/control_connection.hpp"
#include "host/database/control_plane.hpp"

namespace summa::host {

// Every known step, with what the database says of it; works without the schema.
std::vector<MigrationStep> ReadMigrations(ControlTransaction& transaction);

// Applies the first missing step in `transaction` and returns it; nullopt: nothing is missing.
// SH-0413 when the role may not create the schema, SH-0417 when the step itself fails.
std::optional<MigrationStep> ApplyNextMigration(ControlTransaction& transaction);

}  // namespace summa::host
