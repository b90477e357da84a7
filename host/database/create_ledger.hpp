// A new ledger of the plan's layout.
#pragma once

#include <string>
#include <vector>

#include "host/database/control_connection.hpp"
#include "host/database/schema_step.hpp"

namespace summa::host {

// Creates its tables in `schema`, all or none. SH-0422 when the database holds any table of
// somebody else; our own schemas may be there.
void CreatePlanLedger(ControlTransaction& transaction, const std::string& schema);

// The same with ledger_event partitioned by month, together with `steps`, which it returns as
// applied: all in this transaction, so that the guard of the plugin maintenance is there before the
// first row. SH-0437 when its steps are not among them; else what ApplyNextMigration throws.
std::vector<MigrationStep> CreatePartitionedPlanLedger(ControlTransaction& transaction,
                                                       const std::string& schema,
                                                       const std::vector<SchemaStep>& steps);
// Throws SH-0437.
void RequireGuardStep(const std::vector<SchemaStep>& steps);

}  // namespace summa::host
