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

// Whether the slices can be made once more: they were taken back, or differed.
bool CanSliceAgain(const MigrationRecord& record);

}  // namespace summa::maintenance
