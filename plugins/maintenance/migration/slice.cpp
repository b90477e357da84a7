#include "migration/slice.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <summa/crash_point.hpp>
#include <utility>
#include <vector>

#include "migration/backfill.hpp"
#include "migration/exchange.hpp"
#include "migration/indexes.hpp"
#include "migration/readers_away.hpp"
#include "migration/seal.hpp"
#include "migration/shadow.hpp"
#include "migration/slice_end.hpp"
#include "migration/sync.hpp"
#include "migration/throttle.hpp"
#include "migration/vacuum.hpp"
#include "migration/verify.hpp"
#include "migration_sql.hpp"
#include "partition/catalog.hpp"
#include "partition/leaf.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kPhase = "slicing";
constexpr std::chrono::seconds kPatience{10};
// Of the locks that the server has room for; the rest is for others.
constexpr std::int64_t kShareOfLocks = 2;

SliceOutcome Went(std::int64_t rows = 0) {
  OperationProgress progress;
  progress.phase = kPhase;
  progress.rows = rows;
  return {std::move(progress), "", false};
}

SliceOutcome Waits(std::string what) { return {std::nullopt, std::move(what), false}; }

SliceOutcome WaitsFor(const std::vector<Blocker>& blockers) { return Waits(TextOf(blockers)); }

SliceOutcome WaitsForPeople(std::string what = "") { return {std::nullopt, std::move(what), true}; }

// Nobody is in the way any more.
SliceOutcome GoesOn(OperationStep& step, const MigrationRecord& record) {
  StopWaiting(step.Transaction(), record.operation);
  return Went(NewRows(step));
}

// The migration as it is for the copy: the slices are its new table.
MigrationRecord ForSlices(const MigrationRecord& record) {
  MigrationRecord copy = record;
  copy.new_table = record.slice_table;
  return copy;
}

// The flat table with the names from before the exchange, by which those of the slices are made.
Inventory InventoryOf(Session& session, const MigrationRecord& record) {
  Inventory flat = ReadInventory(session, record.old_table);
  flat.name = record.table;
  const Result names = session.Exec(migration_sql::index_names, {record.operation});
  for (InventoryItem& item : flat.items) {
    if (item.kind != "index" && item.kind != "unique index" && item.kind != "key") continue;
    for (const Row row : names) {
      if (row.Get<std::string>("now") != item.name) continue;
      item.name = row.Get<std::string>("before");
      break;
    }
  }
  return flat;
}

std::vector<Partition> SlicesOf(Session& session, const MigrationRecord& record) {
  return ReadTable(session, NameOfTable(session, record.slice_table).quoted()).partitions;
}

// An ALTER TABLE of the partitioned table has not changed slices that are not its partitions yet.
void RequireSameShape(const summa_sql_v1* sql, const MigrationRecord& record) {
  Session session(sql);
  const std::string other = OtherShape(session, record.new_table, record.slice_table);
  if (other.empty()) return;
  RecordDifference(session, record.operation, record.table + " was altered: " + other);
}

void RequireRoomForLocks(Session& session, std::int64_t flat, std::size_t slices) {
  const Result slots =
      session.Exec(migration_sql::lock_slots, {flat, static_cast<std::int64_t>(slices)});
  const auto room = slots[0].Get<std::int64_t>("room") / kShareOfLocks;
  const auto needed = slots[0].Get<std::int64_t>("needed");
  if (needed <= room) return;
  const std::int64_t wanted = slots[0].Get<std::int64_t>("setting") * needed / room + 1;
  throw Error(SUMMA_E_CONFIG, "SH-0859",
              "the exchange of " + std::to_string(slices) + " slices takes about " +
                  std::to_string(needed) + " locks, and with max_locks_per_transaction = " +
                  std::to_string(slots[0].Get<std::int64_t>("setting")) +
                  " the server has room for " + std::to_string(room) + " of them",
              "Set max_locks_per_transaction to " + std::to_string(wanted) +
                  " or more and restart the server, or choose a longer --interval");
}

SliceOutcome FreezeFlat(OperationStep& step, const WorkCaller& caller,
                        const MigrationRecord& record, std::chrono::microseconds closed_after) {
  Session session(step.sql());
  const std::string closes = IsoText(*record.bound + closed_after);
  const bool over =
      session.Exec("SELECT clock_timestamp() >= $1::timestamptz", {closes}).Value<bool>();
  if (!over) return WaitsForPeople("the time of the oldest partition to be over: " + closes);
  const ComparedTables tables = TablesOf(session, record);
  std::vector<std::int64_t> tree = {record.new_table};
  for (const Partition& leaf : ReadTable(session, tables.partitioned).partitions) {
    tree.push_back(leaf.oid);
  }
  // Who is about to write the last events to it ends first. The lock below then sees them all.
  Sealed sealed =
      SealedPosition(session, caller, tables.partitioned, tables.position, tree, kPatience);
  if (!sealed.position) return Waits(std::move(sealed.in_the_way));
  const std::vector<std::string> freeze = RefuseRows(tables.flat);
  const DdlOutcome frozen = RunDdl(
      session, caller, {{tables.flat, LockMode::kShareRowExclusive}}, Limits(),
      [&](Session& locked) {
        RequireRunning(locked, record.operation);
        RunTogether(locked, freeze);
        locked.Exec(
            "UPDATE summa_host.migration SET (base_position, through_position, sealed_position) = "
            "(SELECT first, last, last FROM (SELECT coalesce(min(" +
                tables.position + ") - 1, 0) AS first, coalesce(max(" + tables.position +
                "), 0) AS last FROM " + tables.flat + ") span) WHERE operation = $1",
            {record.operation});
        ChangeSlices(locked, record.operation, "", "frozen");
        CrashPoint("migration.freeze");
      });
  if (!frozen.done) return WaitsFor(frozen.blockers);
  CrashPoint("migration.frozen");
  return Went();
}

SliceOutcome MakeSlices(OperationStep& step, const MigrationRecord& record) {
  Session& session = step.Transaction();
  LiftStatementTimeout(session);
  const Inventory flat = InventoryOf(session, record);
  MigrationRecord made = record;
  made.slice_table = CreateShadow(session, flat, {record.interval, 0, std::nullopt, record.bound});
  const std::vector<Partition> slices = SlicesOf(session, made);
  RequireRoomForLocks(session, record.old_table, slices.size());
  for (const Partition& slice : slices) RunTogether(session, RefuseChangesOfRows(slice.quoted));
  session.Exec("UPDATE summa_host.migration SET slice_table = $2::bigint::oid WHERE operation = $1",
               {record.operation, made.slice_table});
  ChangeSlices(session, record.operation, "frozen", "copying");
  CrashPoint("migration.slices");
  return Went();
}

SliceOutcome CopySlices(OperationStep& step, const WorkCaller& caller,
                        const MigrationRecord& record) {
  CopiedChunks copied = CopyNextChunks(step.sql(), caller, ForSlices(record), step.rows_wanted());
  if (!copied.throttled.empty()) return Waits(std::move(copied.throttled));
  const std::int64_t rows = NoteCopied(step, !copied.any);
  if (copied.any) return Went(rows);
  ChangeSlices(step.Transaction(), record.operation, "copying", "indexing");
  CrashPoint("migration.sliced");
  return Went(rows);
}

// Returns who is in the way; nobody: all slices have it.
std::string MakeKeys(Session& session, const WorkCaller& caller, const MigrationRecord& record,
                     const Inventory& flat, const std::vector<Partition>& slices) {
  const std::string position = TablesOf(session, record).position;
  for (const Partition& slice : slices) {
    const DdlOutcome made =
        RunDdl(session, caller, {{slice.quoted}}, Limits(), [&](Session& locked) {
          RequireRunning(locked, record.operation);
          MakePrimaryKeyOf(locked, flat, slice);
          RunTogether(locked, RefuseRowsThrough(slice.quoted, position, record.through));
          CrashPoint("migration.slice_key");
        });
    if (!made.done) return TextOf(made.blockers);
  }
  return "";
}

SliceOutcome IndexSlices(OperationStep& step, const WorkCaller& caller,
                         const MigrationRecord& record) {
  std::string reason = ThrottleReason(step.sql(), caller, record.operation);
  if (!reason.empty()) return Waits(std::move(reason));
  Inventory flat;
  {
    Session session(step.sql());
    flat = InventoryOf(session, record);
  }
  const int created =
      CreateMissingIndexes(step.sql(), caller, flat, record.slice_table, record.workers,
                           [] { CrashPoint("migration.slice_index"); });
  if (created > 0) return GoesOn(step, record);
  std::vector<Partition> slices;
  {
    Session session(step.sql());
    slices = SlicesOf(session, record);
    std::string in_the_way = MakeKeys(session, caller, record, flat, slices);
    if (!in_the_way.empty()) return Waits(std::move(in_the_way));
  }
  // Nobody analyzes the staging table, which is dropped in the end.
  VacuumEach(step.sql(), slices, "FREEZE, ANALYZE", record.workers);
  ChangeSlices(step.Transaction(), record.operation, "indexing", "verifying");
  CrashPoint("migration.slices_indexed");
  return Went();
}

SliceOutcome VerifySlices(OperationStep& step, const WorkCaller& caller,
                          const MigrationRecord& record) {
  std::string reason = ThrottleReason(step.sql(), caller, record.operation);
  if (!reason.empty()) return Waits(std::move(reason));
  ComparedTables tables;
  {
    Session session(step.sql());
    tables = TablesOf(session, ForSlices(record));
  }
  if (VerifyNextChunks(step.sql(), record, tables)) return GoesOn(step, record);
  RequireWhole(step.sql(), record, tables, {record.base, record.through}, record.through);
  Session& session = step.Transaction();
  NoteVerified(session, record.operation);
  ChangeSlices(session, record.operation, "verifying", "ready");
  CrashPoint("migration.slices_verified");
  return Went();
}

PreparedExchange PrepareExchange(Session& session, const MigrationRecord& record) {
  PreparedExchange exchange;
  exchange.stamp = StampOf(session, record.new_table);
  const std::string parent = record.ApplicationName();
  const std::string flat = NameOfTable(session, record.old_table).quoted();
  const std::string staging = NameOfTable(session, record.slice_table).quoted();
  exchange.locks = {{parent}, {flat}, {staging}};
  exchange.statements = {"ALTER TABLE " + parent + " DETACH PARTITION " + flat};
  for (const Partition& slice : SlicesOf(session, record)) {
    exchange.locks.push_back({slice.quoted});
    exchange.statements.push_back("ALTER TABLE " + staging + " DETACH PARTITION " + slice.quoted);
    std::vector<std::string> attach =
        StatementsOfAttach(parent, slice.quoted, slice.from, slice.to);
    std::move(attach.begin(), attach.end(), std::back_inserter(exchange.statements));
  }
  exchange.statements.push_back("DROP TABLE " + staging);
  return exchange;
}

SliceOutcome ExchangeSlices(OperationStep& step, const WorkCaller& caller,
                            const MigrationRecord& record) {
  Session session(step.sql());
  const std::vector<Blocker> older = OlderSnapshots(session, record.backfill_xid.value_or("3"));
  if (!older.empty()) return WaitsFor(older);
  // One that the table has got meanwhile would be made under the lock.
  const int created =
      CreateMissingIndexes(step.sql(), caller, InventoryOf(session, record), record.slice_table,
                           record.workers, [] { CrashPoint("migration.slice_index"); });
  if (created > 0) return Went();
  const PreparedExchange exchange = PrepareExchange(session, record);
  const ReadersAway away(step, caller, exchange.locks);
  const DdlOutcome done =
      RunDdl(session, caller, exchange.locks, ExchangeLimits(), [&](Session& locked) {
        RequireRunning(locked, record.operation);
        RequireStamp(locked, record.new_table, exchange.stamp);
        RunTogether(locked, exchange.statements);
        locked.Exec("UPDATE summa_host.migration SET slice_table = NULL WHERE operation = $1",
                    {record.operation});
        ChangeSlices(locked, record.operation, "ready", "exchanged");
        CrashPoint("migration.slice_exchange");
      });
  RequireInTime(done,
                "It is tried again after a pause. When it happens again on a machine that is not "
                "busy, there are too many slices: `migrate:partition-event-store --finalize --yes` "
                "leaves the old table as one partition");
  if (!done.done) return WaitsFor(done.blockers);
  CrashPoint("migration.slices_exchanged");
  NoteLock(step.Transaction(), record.operation, done.held);
  return Went();
}

// Begins anew, when it was taken back or the slices differed.
SliceOutcome Again(OperationStep& step, const MigrationRecord& record) {
  Session& session = step.Transaction();
  LiftStatementTimeout(session);
  TakeRequest(session, record.operation, "swap");
  if (record.slices == "restored") {
    ForgetChunks(session, record.operation);
    ChangeSlices(session, record.operation, "restored", "");
  } else if (CanSliceAgain(record)) {
    DropSlices(session, record);
  }
  CrashPoint("migration.slice_again");
  return Went();
}

}  // namespace

bool CanSliceAgain(const MigrationRecord& record) {
  return record.slices == "restored" ||
         (record.verification_failed && !record.slices.empty() && record.slices != "exchanged");
}

SliceOutcome StepSlices(OperationStep& step, const WorkCaller& caller,
                        const MigrationRecord& record, std::chrono::microseconds closed_after) {
  if (record.request == "swap") return Again(step, record);
  if (record.verification_failed) ThrowDifference(record.verification);
  if (record.slice_table != 0) RequireSameShape(step.sql(), record);
  if (record.slices.empty()) return FreezeFlat(step, caller, record, closed_after);
  if (record.slices == "frozen") return MakeSlices(step, record);
  if (record.slices == "copying") return CopySlices(step, caller, record);
  if (record.slices == "indexing") return IndexSlices(step, caller, record);
  if (record.slices == "verifying") return VerifySlices(step, caller, record);
  if (record.slices == "ready") return ExchangeSlices(step, caller, record);
  return WaitsForPeople();  // exchanged, restored
}

void RequireSliceable(Session& session, const Inventory& flat, const MigrationRecord& record) {
  const std::vector<Range> ranges = RangesUntil(session, flat, record.interval, *record.bound);
  RequireRoomForLocks(session, flat.oid, ranges.size() + 1);
}

}  // namespace summa::maintenance
