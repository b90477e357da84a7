// Which step comes next, and the steps from the plan to the last verified chunk.
#include "migration/migration.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <summa/crash_point.hpp>
#include <vector>

#include "migration/backfill.hpp"
#include "migration/bound.hpp"
#include "migration/exchange.hpp"
#include "migration/indexes.hpp"
#include "migration/inventory.hpp"
#include "migration/mirror.hpp"
#include "migration/progress.hpp"
#include "migration/shadow.hpp"
#include "migration/slice.hpp"
#include "migration/throttle.hpp"
#include "migration/vacuum.hpp"
#include "migration/verify.hpp"
#include "migration_sql.hpp"
#include "partition/catalog.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

constexpr std::chrono::seconds kThrottlePause{1};

[[noreturn]] void ThrowInTheWay() {
  throw Error(SUMMA_E_TRY_LATER, "SH-0851", "somebody stands in the way of the migration",
              "`migrate:partition-event-store --status` names who; it is tried again");
}

// Before the exchange an event after the bound cannot be written: the migration has to be gone by
// then.
bool IsNear(const summa_sql_v1* sql, DatabaseTime bound) {
  Session session(sql);
  return session
      .Exec("SELECT $1::timestamptz < clock_timestamp() + interval '1 hour'", {IsoText(bound)})
      .Value<bool>();
}

// The first range that begins late enough.
DatabaseTime BoundFor(Session& session, Interval interval, std::int64_t estimated_seconds) {
  const auto now = session.Exec("SELECT clock_timestamp()").Value<DatabaseTime>();
  const DatabaseTime least = now + std::chrono::hours(24) + std::chrono::seconds(estimated_seconds);
  return RangeAt(interval, least).to;
}

Inventory InventoryOf(const summa_sql_v1* sql, const MigrationRecord& record) {
  Session session(sql);
  return ReadInventory(session, record.old_table);
}

PartitionedTable ShadowOf(const summa_sql_v1* sql, const MigrationRecord& record) {
  Session session(sql);
  return ReadTable(session, NameOfTable(session, record.new_table).quoted());
}

// With its partitions: once, and as late as possible. For the comparison no statistics are needed.
void AnalyzeShadow(Session& session, const MigrationRecord& record) {
  LiftStatementTimeout(session);
  session.Exec("ANALYZE " + NameOfTable(session, record.new_table).quoted());
}

}  // namespace

OperationBinding Migration::Binding() {
  return {kMigrationKind, [this](OperationStep& step) { return Step(step); },
          [this](OperationStep& step) { Undo(step); }};
}

void Migration::RequireRoom(Session& session, const Inventory& flat, const std::string& strategy,
                            Interval interval) const {
  if (strategy != "attach") {
    return RequireFewPartitions(session, flat, {interval, ahead_, std::nullopt, std::nullopt});
  }
  MigrationRecord planned;
  planned.interval = interval;
  planned.bound = BoundFor(session, interval, EstimateMigration(session, flat).seconds);
  RequireSliceable(session, flat, planned);
}

// Whoever held the lock that was not had in time will be gone later.
Migration::Progress Migration::Step(OperationStep& step) {
  try {
    return Continue(step);
  } catch (const Error& error) {
    const bool locked = error.sqlstate() == "55P03" || error.sqlstate() == "40P01";
    if (!locked && !ComesAgain(error)) throw;
    return WaitFor(step, error.what());
  }
}

Migration::Progress Migration::Continue(OperationStep& step) {
  waits_for_people_ = false;
  std::optional<MigrationRecord> record;
  {
    Session session(step.sql());
    record = ReadRecord(session, step.id());
  }
  if (!record) return Plan(step);
  const bool exchanged =
      record->state == "swapped" || record->state == "restored" || record->state == "finalized";
  if (record->request == "abort" && !exchanged) return Abort(step, *record);
  if (record->bound && !exchanged && IsNear(step.sql(), *record->bound)) {
    host_.Warn("SH-0857", "the bound of the migration is near; it is aborted",
               {{"bound", IsoText(*record->bound)}});
    return Abort(step, *record);
  }
  if (record->verification_failed && !exchanged) ThrowDifference(record->verification);
  if (record->state == "planned") return MakeShadow(step, *record);
  if (record->state == "syncing") return Synchronize(step, *record);
  if (record->state == "backfilling") return Backfill(step, *record);
  if (record->state == "indexing") return Index(step, *record);
  if (record->state == "verifying") return Verify(step, *record);
  if (record->state == "ready") return Ready(step, *record);
  if (record->state == "swapped") return Swapped(step, *record);
  if (record->state == "restored") return Restored(step, *record);
  step.Transaction();
  return End(record->state);  // finalized, before the journal knew it
}

Migration::Progress Migration::Plan(OperationStep& step) const {
  Session& session = step.Transaction();
  const ledger::EventTable events = ledger::FindEvents(session);
  if (events.partitioned) {
    throw Error(SUMMA_E_USAGE, "SH-0829", "ledger_event is partitioned already",
                "Nothing is needed");
  }
  const auto oid =
      session.Exec("SELECT to_regclass($1)::oid::bigint", {events.name}).Value<std::int64_t>();
  const Inventory flat = ReadInventory(session, oid);
  RequireNoObstacles(session, flat, events);
  const MigrationEstimate estimate = EstimateMigration(session, flat);
  session.Exec(migration_sql::plan,
               {step.id(), std::string(step.arguments()), flat.schema, flat.name, oid,
                flat.fingerprint, estimate.rows, estimate.bytes_needed, estimate.seconds});
  const MigrationRecord planned = ReadRecord(session, step.id()).value();
  if (planned.strategy == "attach") {
    session.Exec("UPDATE summa_host.migration SET bound = $2::timestamptz WHERE operation = $1",
                 {step.id(), IsoText(BoundFor(session, planned.interval, estimate.seconds))});
  }
  OperationProgress progress = At("planned");
  progress.total = kCountsOfARow * estimate.rows;
  CrashPoint("migration.plan");
  return progress;
}

Migration::Progress Migration::MakeShadow(OperationStep& step,
                                          const MigrationRecord& record) const {
  Session& session = step.Transaction();
  LiftStatementTimeout(session);
  const Inventory flat = ReadInventory(session, record.old_table);
  if (record.bound) RequireSliceable(session, flat, record);
  const std::int64_t shadow =
      CreateShadow(session, flat, {record.interval, ahead_, record.bound, std::nullopt});
  session.Exec("UPDATE summa_host.migration SET new_table = $2::bigint::oid WHERE operation = $1",
               {record.operation, shadow});
  MigrationRecord made = record;
  made.new_table = shadow;
  PrepareShadow(session, made);
  ChangeState(session, record.operation, "planned", "syncing");
  CrashPoint("migration.shadow");
  return At("syncing");
}

Migration::Progress Migration::Synchronize(OperationStep& step,
                                           const MigrationRecord& record) const {
  Session session(step.sql());
  const DdlOutcome outcome = record.bound ? BeginBound(session, CallerOfStep(step), record)
                                          : BeginSync(session, CallerOfStep(step), record);
  if (!outcome.done) return WaitFor(step, TextOf(outcome.blockers));
  CrashPoint("migration.synced");
  return At(record.bound ? "indexing" : "backfilling");
}

Migration::Progress Migration::Backfill(OperationStep& step, const MigrationRecord& record) const {
  const CopiedChunks copied =
      CopyNextChunks(step.sql(), CallerOfStep(step), record, step.rows_wanted());
  if (!copied.throttled.empty()) return WaitFor(step, copied.throttled);
  const std::int64_t rows = NoteCopied(step, !copied.any);
  if (copied.any) return At("backfilling", rows);
  ChangeState(step.Transaction(), record.operation, "backfilling", "indexing");
  CrashPoint("migration.backfilled");
  return At("indexing", rows);
}

// Some indexes in each step; the catalog says which are the next.
Migration::Progress Migration::Index(OperationStep& step, const MigrationRecord& record) const {
  if (const std::string reason = ThrottleReason(step.sql(), CallerOfStep(step), record.operation);
      !reason.empty()) {
    return WaitFor(step, reason);
  }
  const Inventory flat = InventoryOf(step.sql(), record);
  const int created = CreateMissingIndexes(step.sql(), CallerOfStep(step), flat, record.new_table,
                                           record.workers, [] { CrashPoint("migration.index"); });
  if (created > 0) return Again(step, record);
  const PartitionedTable table = ShadowOf(step.sql(), record);
  const std::string in_the_way = AttachEachIndex(step, record, flat, table);
  if (!in_the_way.empty()) return WaitFor(step, in_the_way);
  VacuumEach(step.sql(), table.partitions, "FREEZE", record.workers);
  ChangeState(step.Transaction(), record.operation, "indexing", "verifying");
  CrashPoint("migration.indexed");
  return At("verifying");
}

// Returns who is in the way; nobody: all are attached.
std::string Migration::AttachEachIndex(OperationStep& step, const MigrationRecord& record,
                                       const Inventory& flat, const PartitionedTable& table) const {
  const WorkCaller caller = CallerOfStep(step);
  Session session(step.sql());
  const DdlOutcome parent = RunDdl(session, caller, {{table.quoted, LockMode::kShareRowExclusive}},
                                   {}, [&](Session& locked) {
                                     RequireRunning(locked, record.operation);
                                     CreateParentIndexes(locked, flat, table.quoted);
                                     CrashPoint("migration.parent_index");
                                   });
  if (!parent.done) return TextOf(parent.blockers);
  for (const Partition& leaf : table.partitions) {
    const DdlOutcome attached = RunDdl(session, caller,
                                       {{table.quoted, LockMode::kShareUpdateExclusive},
                                        {leaf.quoted, LockMode::kAccessExclusive}},
                                       {}, [&](Session& locked) {
                                         RequireRunning(locked, record.operation);
                                         AttachIndexes(locked, flat, leaf);
                                         CrashPoint("migration.attach_index");
                                       });
    if (!attached.done) return TextOf(attached.blockers);
  }
  return "";
}

Migration::Progress Migration::Verify(OperationStep& step, const MigrationRecord& record) const {
  if (record.bound) {
    if (ValidateBound(step.sql(), record)) return Again(step, record);
    Session& session = step.Transaction();
    AnalyzeShadow(session, record);
    session.Exec(
        "UPDATE summa_host.migration SET verification = 'no row is copied' WHERE operation = $1",
        {record.operation});
    ChangeState(session, record.operation, "verifying", "ready");
    CrashPoint("migration.bound_verified");
    return At("ready");
  }
  if (const std::string reason = ThrottleReason(step.sql(), CallerOfStep(step), record.operation);
      !reason.empty()) {
    return WaitFor(step, reason);
  }
  if (Settle(step, record)) return Again(step, record);
  ComparedTables tables;
  {
    Session session(step.sql());
    tables = TablesOf(session, record);
  }
  // What is mirrored meanwhile is after the last chunk.
  RequireWhole(step.sql(), record, tables, {record.base, record.sealed},
               std::numeric_limits<std::int64_t>::max());
  Session& session = step.Transaction();
  AnalyzeShadow(session, record);
  NoteVerified(session, record.operation);
  ChangeState(session, record.operation, "verifying", "ready");
  CrashPoint("migration.verified");
  return At("ready");
}

Migration::Progress Migration::Again(OperationStep& step, const MigrationRecord& record) {
  StopWaiting(step.Transaction(), record.operation);
  return At(record.state, NewRows(step));
}

Migration::Progress Migration::Abort(OperationStep& step, const MigrationRecord& record) const {
  {
    Session session(step.sql());
    const DdlOutcome outcome = EndSync(session, CallerOfStep(step), record);
    if (!outcome.done) return WaitFor(step, TextOf(outcome.blockers));
  }
  CrashPoint("migration.abort");
  Session& session = step.Transaction();
  LiftStatementTimeout(session);
  DropShadow(session, record);
  ChangeState(session, record.operation, record.state, "aborted");
  CrashPoint("migration.aborted");
  return End("aborted");
}

void Migration::Undo(OperationStep& step) {
  std::optional<MigrationRecord> record;
  {
    Session session(step.sql());
    record = ReadRecord(session, step.id());
  }
  if (!record || record->state == "aborted" || record->state == "finalized" ||
      record->state == "rolled_back") {
    step.Transaction();
    return;
  }
  if (record->state != "swapped" && record->state != "restored") {
    if (!Abort(step, *record)) ThrowInTheWay();
    return;
  }
  // As many steps as it takes: only the end of an aborted operation is saved.
  while (record->state == "swapped") {
    if (step.ShouldStop()) {
      throw Error(SUMMA_E_CANCELLED, "SH-0384", "told to stop", "Nothing is needed");
    }
    if (record->request.empty()) {
      throw Error(SUMMA_E_TRY_LATER, "SH-0850",
                  "the operation was aborted after the tables were exchanged; no event is lost",
                  "Decide: `migrate:partition-event-store --rollback --yes` or `--finalize --yes`");
    }
    if (record->request == "finalize") {
      if (!FinalizeNow(step, *record)) ThrowInTheWay();
      break;
    }
    if (!GoBack(step, *record)) ThrowInTheWay();
    record = CurrentRecord(step);
  }
  if (record->state == "restored") Clean(step, *record);
}

Migration::Progress Migration::WaitFor(OperationStep& step, const std::string& what) const {
  Session session(step.sql());
  SetWaitingFor(session, step.id(), what);
  host_.Info("the migration waits", {{"operation", std::to_string(step.id())}, {"for", what}});
  step.Wait(kThrottlePause);
  return std::nullopt;
}

}  // namespace summa::maintenance
