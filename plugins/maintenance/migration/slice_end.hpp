// How the slices of strategy attach end: they are given up, go back, or stay for good. The
// functions return who is in the way; done: nobody was.
#pragma once

#include <summa/operation.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <string>

#include "migration/record.hpp"
#include "partition/ddl.hpp"

namespace summa::maintenance {

// In the open transaction: what is made goes. A flat table that is frozen stays so.
void DropSlices(Session& session, const MigrationRecord& record);

// Slices that are not exchanged go, and the flat table is a partition like others again.
DdlOutcome LeaveSlices(Session& session, const WorkCaller& caller, const MigrationRecord& record);
// The flat table takes the place of its slices again, which are dropped. SH-0856 when they differ
// from it by now, SH-0860 when it takes too long. counted: for another try; empty for the first.
DdlOutcome RestoreFlat(OperationStep& step, const WorkCaller& caller, const MigrationRecord& record,
                       std::string& counted);
// The flat table is dropped, and the slices may be changed.
DdlOutcome FinalizeSlices(Session& session, const WorkCaller& caller,
                          const MigrationRecord& record);

}  // namespace summa::maintenance
