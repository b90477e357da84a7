// Strategy attach, after the exchange: the flat table is the oldest partition, and is put into
// partitions of the interval, its slices. Nobody waits for the copy: the flat table is closed, so
// that its rows do not change any more.
//
//   '' -> frozen -> copying -> indexing -> verifying -> ready -> exchanged
//
// '': waits until the range of the flat table is over. `frozen`: it refuses every change.
// `copying`: the slices are partitions of a table of their own, which nobody else reads.
// `exchanged`: they are in its place, and it stands beside them until the migration is finalized.
// `restored`: the way back from there; waits for a decision. The migration itself is in state
// `swapped` all the time.
#pragma once

#include <summa/operation.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "migration/inventory.hpp"
#include "migration/record.hpp"
#include "partition/ddl.hpp"

namespace summa::maintenance {

struct SliceOutcome {
  std::optional<OperationProgress> progress;  // nothing: it waits
  std::string waits_for;
  bool for_people = false;  // or for so long that nobody should wait for it
};

// One step of the above, which may be repeated. closed_after: how long after its end the range of
// the flat table is open for writers that set the time themselves.
SliceOutcome StepSlices(OperationStep& step, const WorkCaller& caller,
                        const MigrationRecord& record, std::chrono::microseconds closed_after);

// Before a migration begins: what its slices need in the end. SH-0827, SH-0859.
void RequireSliceable(Session& session, const Inventory& flat, const MigrationRecord& record);

// The parts of --rollback and --finalize. Each returns who is in the way; done: nobody was.

// Slices that are not exchanged go, and the flat table is a partition like others again.
DdlOutcome LeaveSlices(Session& session, const WorkCaller& caller, const MigrationRecord& record);
// The exchange, or the way back, took too long while writers waited, and was given up.
inline constexpr const char* kTooSlow = "SH-0860";
// The flat table takes the place of its slices again, which are dropped. SH-0856 when they differ
// from it by now.
DdlOutcome RestoreFlat(Session& session, const WorkCaller& caller, const MigrationRecord& record);
// The flat table is dropped, and the slices may be changed.
DdlOutcome FinalizeSlices(Session& session, const WorkCaller& caller,
                          const MigrationRecord& record);

// Whether the slices can be made once more: they were taken back, or differed.
bool CanSliceAgain(const MigrationRecord& record);

}  // namespace summa::maintenance
