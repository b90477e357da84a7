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
#include "migration/seal.hpp"
#include "migration/shadow.hpp"
#include "migration/swap.hpp"
#include "migration/sync.hpp"
#include "migration/verify.hpp"
#include "migration_sql.hpp"
#include "partition/catalog.hpp"
#include "partition/leaf.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

using Statements = std::vector<std::string>;

constexpr const char* kPhase = "slicing";
constexpr const char* kLongStatement = "SET LOCAL statement_timeout = '1h'";
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

SliceOutcome WaitsFor(const std::vector<Blocker>& blockers) {
  std::string text;
  for (const Blocker& blocker : blockers) {
    text.append(text.empty() ? "" : "; ").append(blocker.what);
    if (!blocker.table.empty()) text.append(" on ").append(blocker.table);
  }
  return Waits(text.empty() ? "a lock" : text);
}

SliceOutcome WaitsForPeople(std::string what = "") {
  return {std::nullopt, std::move(what), true};
}

void ChangeSlices(Session& session, std::int64_t operation, const std::string& from,
                  const std::string& to) {
  const Result changed = session.Exec(
      "UPDATE summa_host.migration SET slice_state = $3, waiting_for = '' WHERE operation = $1 AND "
      "state = 'swapped' AND slice_state = $2 RETURNING 1",
      {operation, from, to});
  if (changed.rows() == 0) {
    throw Error(SUMMA_E_TRY_LATER, "SH-0828",
                "the slices of migration " + std::to_string(operation) +
                    " are no longer in state " + (from.empty() ? "none" : from),
                "Nothing is needed: another host works on it");
  }
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

// Nobody is in the way of an exchange that takes too long by itself, and each try stalls writers.
void RequireInTime(const DdlOutcome& exchanged) {
  if (exchanged.done || exchanged.timeouts == 0) return;
  throw Error(SUMMA_E_TRY_LATER, "SH-0860",
              "the exchange of the slices took longer than 2 seconds while writers waited, and was "
              "given up",
              "It is tried again after a pause. When it happens again on a machine that is not "
              "busy, there are too many slices: `migrate:partition-event-store --finalize --yes` "
              "leaves the old table as one partition");
}

DdlOutcome Nothing() {
  DdlOutcome nothing;
  nothing.done = true;
  return nothing;
}

// --- the steps ---

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
  const Statements freeze = RefuseRows(tables.flat);
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
  session.Exec(kLongStatement);
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
  Session& session = step.Transaction();
  session.Exec(
      "UPDATE summa_host.migration SET waiting_for = '' WHERE operation = $1 AND waiting_for <> ''",
      {record.operation});
  // Slices that are made again begin at nothing, and what is done is not taken back.
  const std::int64_t rows =
      std::max<std::int64_t>(RowsOfChunks(session, record.operation) - step.done(), 0);
  if (copied.any) return Went(rows);
  session.Exec(
      "UPDATE summa_host.migration SET backfill_xid = pg_current_xact_id()::text WHERE operation = "
      "$1",
      {record.operation});
  ChangeSlices(session, record.operation, "copying", "indexing");
  CrashPoint("migration.sliced");
  return Went(rows);
}

SliceOutcome IndexSlices(OperationStep& step, const WorkCaller& caller,
                         const MigrationRecord& record) {
  Session session(step.sql());
  const Inventory flat = InventoryOf(session, record);
  if (!CreateNextIndex(session, flat, record.slice_table).empty()) {
    CrashPoint("migration.slice_index");
    return Went();
  }
  for (const Partition& slice : SlicesOf(session, record)) {
    const DdlOutcome made =
        RunDdl(session, caller, {{slice.quoted}}, Limits(), [&](Session& locked) {
          RequireRunning(locked, record.operation);
          MakePrimaryKeyOf(locked, flat, slice);
          CrashPoint("migration.slice_key");
        });
    if (!made.done) return WaitsFor(made.blockers);
    session.ExecAutocommit("VACUUM (FREEZE, ANALYZE) " + slice.quoted);
  }
  ChangeSlices(step.Transaction(), record.operation, "indexing", "verifying");
  CrashPoint("migration.slices_indexed");
  return Went();
}

SliceOutcome VerifySlices(OperationStep& step, const MigrationRecord& record) {
  ComparedTables tables;
  {
    Session session(step.sql());
    tables = TablesOf(session, ForSlices(record));
  }
  if (VerifyNextChunk(step.sql(), record, tables)) return Went();
  Session& session = step.Transaction();
  session.Exec(kLongStatement);
  const PositionRange whole = {record.base, record.through};
  std::string problem = TilingProblem(session, record.operation, whole);
  if (problem.empty()) {
    const std::int64_t outside = RowsOutside(session, tables, whole);
    if (outside > 0) {
      problem = std::to_string(outside) + " rows of the slices are none of the flat table";
    }
  }
  if (!problem.empty()) ThrowDifference(problem);
  session.Exec(
      "UPDATE summa_host.migration m SET verification = format('%s: %s chunks, %s rows', "
      "verify_level, c.n, c.rows) FROM (SELECT count(*) AS n, coalesce(sum(row_count), 0) AS rows "
      "FROM summa_host.migration_chunk WHERE operation = $1) c WHERE m.operation = $1",
      {record.operation});
  ChangeSlices(session, record.operation, "verifying", "ready");
  CrashPoint("migration.slices_verified");
  return Went();
}

struct SliceExchange {
  std::vector<LockRequest> locks;
  Statements statements;
  std::string stamp;  // of the partitioned table
};

SliceExchange PrepareExchange(Session& session, const MigrationRecord& record) {
  SliceExchange exchange;
  exchange.stamp = StampOf(session, record.new_table);
  const std::string parent = record.ApplicationName();
  const std::string flat = NameOfTable(session, record.old_table).quoted();
  const std::string staging = NameOfTable(session, record.slice_table).quoted();
  exchange.locks = {{parent}, {flat}, {staging}};
  exchange.statements = {"ALTER TABLE " + parent + " DETACH PARTITION " + flat};
  for (const Partition& slice : SlicesOf(session, record)) {
    exchange.locks.push_back({slice.quoted});
    exchange.statements.push_back("ALTER TABLE " + staging + " DETACH PARTITION " + slice.quoted);
    Statements attach = StatementsOfAttach(parent, slice.quoted, slice.from, slice.to);
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
  if (!CreateNextIndex(session, InventoryOf(session, record), record.slice_table).empty()) {
    return Went();
  }
  const SliceExchange exchange = PrepareExchange(session, record);
  const DdlOutcome done =
      RunDdl(session, caller, exchange.locks, ExchangeLimits(), [&](Session& locked) {
        LimitIdleTime(locked);
        RequireRunning(locked, record.operation);
        RequireStamp(locked, record.new_table, exchange.stamp);
        RunTogether(locked, exchange.statements);
        locked.Exec("UPDATE summa_host.migration SET slice_table = NULL WHERE operation = $1",
                    {record.operation});
        ChangeSlices(locked, record.operation, "ready", "exchanged");
        CrashPoint("migration.slice_exchange");
      });
  RequireInTime(done);
  if (!done.done) return WaitsFor(done.blockers);
  CrashPoint("migration.slices_exchanged");
  step.Transaction().Exec(
      "UPDATE summa_host.migration SET exclusive_lock_us = greatest(exclusive_lock_us, "
      "$2::bigint) WHERE operation = $1",
      {record.operation, done.held.count()});
  return Went();
}

// What is made goes. A flat table that is frozen stays so.
void DropSlices(Session& session, const MigrationRecord& record) {
  if (record.slice_table != 0) {
    session.Exec("DROP TABLE " + NameOfTable(session, record.slice_table).quoted());
  }
  session.Exec("DELETE FROM summa_host.migration_chunk WHERE operation = $1", {record.operation});
  session.Exec(
      "UPDATE summa_host.migration SET slice_table = NULL, verification = 'no row is copied', "
      "verification_failed = false WHERE operation = $1",
      {record.operation});
  ChangeSlices(session, record.operation, record.slices, "frozen");
}

// Begins anew, when it was taken back or the slices differed.
SliceOutcome Again(OperationStep& step, const MigrationRecord& record) {
  Session& session = step.Transaction();
  session.Exec(kLongStatement);
  session.Exec("UPDATE summa_host.migration SET request = NULL WHERE operation = $1",
               {record.operation});
  if (record.slices == "restored") {
    ChangeSlices(session, record.operation, "restored", "");
  } else if (CanSliceAgain(record)) {
    DropSlices(session, record);
  }
  CrashPoint("migration.slice_again");
  return Went();
}

// --- the way back ---

[[noreturn]] void ThrowClosed(const std::string& why) {
  throw Error(SUMMA_E_DATA, "SH-0856", why, "The way back is closed; say --finalize");
}

// The partitions that have taken the place of the flat table.
std::vector<Partition> PartitionsBefore(Session& session, const MigrationRecord& record) {
  std::vector<Partition> before;
  for (const Partition& leaf : ReadTable(session, record.ApplicationName()).partitions) {
    if (leaf.to > *record.bound) continue;
    if (leaf.detach_pending) ThrowClosed(leaf.name + " is being detached");
    before.push_back(leaf);
  }
  return before;
}

// Rows of a slice that the flat table has not: inserted since the exchange.
void RequireNothingNew(Session& session, const ComparedTables& tables,
                       const MigrationRecord& record) {
  const bool added =
      session
          .Exec("SELECT EXISTS (SELECT FROM " + tables.partitioned + " WHERE created_at < $1::" +
                    "timestamptz AND " + tables.position + " > $2)",
                {IsoText(*record.bound), record.through})
          .Value<bool>();
  if (added) ThrowClosed("events have come with a time before " + IsoText(*record.bound));
}

void RequireSame(Session& session, const ComparedTables& tables, const MigrationRecord& record,
                 const std::vector<Partition>& slices) {
  std::vector<std::int64_t> oids;
  for (const Partition& slice : slices) oids.push_back(slice.oid);
  const Result changed = session.Exec(migration_sql::changed_slices, {IntegerArray(oids)});
  if (changed.rows() > 0) {
    ThrowClosed(changed[0].Get<std::string>("name") + " was made after the exchange of the slices");
  }
  RequireNothingNew(session, tables, record);
  const std::string before = " WHERE created_at < " + QuoteTime(*record.bound);
  const bool same = ReadLong(session, "SELECT (SELECT count(*) FROM " + tables.flat +
                                          ") = (SELECT count(*) FROM " + tables.partitioned +
                                          before + ")")
                        .Value<bool>();
  if (!same) ThrowClosed("a slice was detached, or rows of it are gone");
}

SliceExchange PrepareRestore(Session& session, const MigrationRecord& record,
                             const ComparedTables& tables) {
  SliceExchange exchange;
  exchange.stamp = StampOf(session, record.new_table);
  const std::vector<Partition> slices = PartitionsBefore(session, record);
  RequireSame(session, tables, record, slices);
  CheckBound(session, record);
  exchange.locks = {{tables.partitioned}, {tables.flat}};
  std::vector<std::string> names;
  for (const Partition& slice : slices) names.push_back(slice.quoted);
  for (const std::string& name : names) exchange.locks.push_back({name});
  if (!names.empty()) exchange.statements.push_back("DROP TABLE " + Joined(names));
  Statements back = AttachFlat(record);
  std::move(back.begin(), back.end(), std::back_inserter(exchange.statements));
  // It takes events again.
  Statements thaw = LeaveAlone(tables.flat);
  std::move(thaw.begin(), thaw.end(), std::back_inserter(exchange.statements));
  return exchange;
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
  if (record.slices.empty()) return FreezeFlat(step, caller, record, closed_after);
  if (record.slices == "frozen") return MakeSlices(step, record);
  if (record.slices == "copying") return CopySlices(step, caller, record);
  if (record.slices == "indexing") return IndexSlices(step, caller, record);
  if (record.slices == "verifying") return VerifySlices(step, record);
  if (record.slices == "ready") return ExchangeSlices(step, caller, record);
  return WaitsForPeople();  // exchanged, restored
}

void RequireSliceable(Session& session, const Inventory& flat, const MigrationRecord& record) {
  const std::vector<Range> ranges = RangesUntil(session, flat, record.interval, *record.bound);
  RequireRoomForLocks(session, flat.oid, ranges.size() + 1);
}

DdlOutcome LeaveSlices(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  if (record.slices.empty() || record.slices == "restored") return Nothing();
  session.Begin();
  session.Exec(kLongStatement);
  DropSlices(session, record);
  CrashPoint("migration.slices_drop");
  session.Commit();
  CrashPoint("migration.slices_dropped");
  const std::string flat = NameOfTable(session, record.old_table).quoted();
  return RunDdl(session, caller, {{flat}}, Limits(), [&](Session& locked) {
    RunTogether(locked, LeaveAlone(flat));
    ChangeSlices(locked, record.operation, "frozen", "");
    CrashPoint("migration.slices_left");
  });
}

DdlOutcome RestoreFlat(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  const ComparedTables tables = TablesOf(session, record);
  const SliceExchange exchange = PrepareRestore(session, record, tables);
  DdlOutcome done =
      RunDdl(session, caller, exchange.locks, ExchangeLimits(), [&](Session& locked) {
        LimitIdleTime(locked);
        RequireStamp(locked, record.new_table, exchange.stamp);
        RequireNothingNew(locked, tables, record);
        RunTogether(locked, exchange.statements);
        locked.Exec("DELETE FROM summa_host.migration_chunk WHERE operation = $1",
                    {record.operation});
        locked.Exec("UPDATE summa_host.migration SET request = NULL WHERE operation = $1",
                    {record.operation});
        ChangeSlices(locked, record.operation, "exchanged", "restored");
        CrashPoint("migration.slices_restore");
      });
  RequireInTime(done);
  if (done.done) CrashPoint("migration.slices_restored");
  return done;
}

DdlOutcome FinalizeSlices(Session& session, const WorkCaller& caller,
                          const MigrationRecord& record) {
  const std::string flat = NameOfTable(session, record.old_table).quoted();
  for (const std::string& table : TablesThatRefuse(session)) {
    if (table == flat) continue;
    const DdlOutcome freed =
        RunDdl(session, caller, {{table}}, Limits(), [&](Session& locked) {
          RunTogether(locked, LeaveAlone(table));
          CrashPoint("migration.slice_freed");
        });
    if (!freed.done) return freed;
  }
  return RunDdl(session, caller, {{flat}}, Limits(), [&](Session& locked) {
    locked.Exec("DROP TABLE " + flat);
    DropSyncFunctions(locked);
    ChangeState(locked, record.operation, "swapped", "finalized");
    CrashPoint("migration.slices_finalize");
  });
}

}  // namespace summa::maintenance
