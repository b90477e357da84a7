// The migration of ledger_event to partitions, as an operation of the journal: a state machine
// whose state is in summa_host.migration, so that any host goes on with it at any time.
//
//   planned -> syncing -> backfilling -> indexing -> verifying -> ready -> swapped -> finalized
//
// `planned`: the inventory is taken, nothing is made. `syncing`: the partitioned table exists.
// `backfilling`: inserts are mirrored. `ready`: equal up to a tail that is kept short; waits for
// the request to swap. `swapped`: waits for the request to finalize or to roll back; with strategy
// attach the flat table is put into slices meanwhile, see slice.hpp.
#pragma once

#include <summa/host.hpp>
#include <summa/operation.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "migration/inventory.hpp"
#include "migration/record.hpp"
#include "partition/catalog.hpp"
#include "partition/interval.hpp"

namespace summa::maintenance {

inline constexpr const char* kMigrationKind = "partition-migration";

// Thread-safe as far as it is used by one operation at a time.
class Migration {
 public:
  // closed_after: the flat table of strategy attach is put into slices so long after the end of its
  // range. Borrowed, since a configuration is read later.
  explicit Migration(Host host, const std::chrono::microseconds& closed_after = kClosedAfter,
                     int ahead = 3)
      : host_(host), closed_after_(closed_after), ahead_(ahead) {}

  // For RunOperation() and OperationWorker. Borrows the object.
  OperationBinding Binding();
  // The last step found nothing to do until somebody decides.
  bool waits_for_people() const { return waits_for_people_; }
  // Before one is begun: SH-0827, SH-0859 when the history would have too many partitions.
  void RequireRoom(Session& session, const Inventory& flat, const std::string& strategy,
                   Interval interval) const;

 private:
  using Progress = std::optional<OperationProgress>;
  struct Settled {
    std::optional<MigrationRecord> record;  // as it is then
    std::string in_the_way;                 // when there is none: a writer who has not ended
  };

  Progress Step(OperationStep& step);
  Progress Continue(OperationStep& step);
  void Undo(OperationStep& step);

  // One for each state; each does a part of it, and may be repeated.
  Progress Plan(OperationStep& step) const;
  Progress MakeShadow(OperationStep& step, const MigrationRecord& record) const;
  Progress Synchronize(OperationStep& step, const MigrationRecord& record) const;
  Progress Backfill(OperationStep& step, const MigrationRecord& record) const;
  Progress Index(OperationStep& step, const MigrationRecord& record) const;
  Progress Verify(OperationStep& step, const MigrationRecord& record) const;
  Progress Ready(OperationStep& step, const MigrationRecord& record);
  Progress Swapped(OperationStep& step, const MigrationRecord& record);
  Progress Slice(OperationStep& step, const MigrationRecord& record);  // a part of the state before
  static Progress Restored(OperationStep& step, const MigrationRecord& record);
  Progress Abort(OperationStep& step, const MigrationRecord& record) const;

  // Parts of the states above, each in a transaction of its own. They return whether there was
  // something to do.
  std::string AttachEachIndex(OperationStep& step, const MigrationRecord& record,
                              const Inventory& flat, const PartitionedTable& table) const;
  static bool FillGuardFurther(OperationStep& step, const MigrationRecord& record);
  static bool Settle(OperationStep& step, const MigrationRecord& record);
  // Returns who is in the way; nobody: it is sealed.
  std::string Seal(OperationStep& step, const MigrationRecord& record) const;
  bool FinalizeNow(OperationStep& step, const MigrationRecord& record) const;
  bool GoBack(OperationStep& step, const MigrationRecord& record);
  bool GoBackFromSlices(OperationStep& step, const MigrationRecord& record);
  static void Clean(OperationStep& step, const MigrationRecord& record);
  static Progress Again(OperationStep& step, const MigrationRecord& record);
  Progress KeepTailShort(OperationStep& step, const MigrationRecord& record,
                         std::int64_t most) const;
  Settled ShortenTail(OperationStep& step) const;
  Progress Swap(OperationStep& step, const MigrationRecord& record) const;
  Progress WaitFor(OperationStep& step, const std::string& what) const;
  WorkCaller CallerOfStep(OperationStep& step) const { return CallerOf(host_, step); }

  static constexpr std::chrono::microseconds kClosedAfter = std::chrono::hours(1);

  Host host_;
  const std::chrono::microseconds& closed_after_;
  int ahead_;
  std::atomic<bool> waits_for_people_{false};
  std::string counted_;  // of the way back from slices, between two of its tries
};

}  // namespace summa::maintenance
