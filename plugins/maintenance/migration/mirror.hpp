// From the partitioned table's beginning to the exchange: what hangs on both tables, and how it
// goes when there will be no exchange.
#pragma once

#include <summa/sql.hpp>
#include <summa/work.hpp>

#include "migration/record.hpp"
#include "partition/ddl.hpp"

namespace summa::maintenance {

// In the transaction that has created the shadow, whose oid the record has: the guard, which is not
// enabled yet, and all functions and triggers that need no lock on the flat table.
void PrepareShadow(Session& session, const MigrationRecord& record);

// Begins the mirroring; also decides which positions are copied. Nothing else may be between the
// lock and that decision.
DdlOutcome BeginSync(Session& session, const WorkCaller& caller, const MigrationRecord& record);
// Before the exchange: removes the mirroring, and the check of the bound. From now on the migration
// can only be aborted.
DdlOutcome EndSync(Session& session, const WorkCaller& caller, const MigrationRecord& record);
// The partitioned table and what the guard has, when the flat one is in its place. In the open
// transaction.
void DropShadow(Session& session, const MigrationRecord& record);

}  // namespace summa::maintenance
