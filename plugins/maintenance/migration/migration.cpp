#include "migration/migration.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <summa/crash_point.hpp>
#include <utility>
#include <vector>

#include "guard/guard.hpp"
#include "migration/backfill.hpp"
#include "migration/inventory.hpp"
#include "migration/seal.hpp"
#include "migration/shadow.hpp"
#include "migration/slice.hpp"
#include "migration/swap.hpp"
#include "migration/verify.hpp"
#include "migration_sql.hpp"
#include "partition/catalog.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kLongStatement = "SET LOCAL statement_timeout = '1h'";
// How long one step waits for writers that are in the middle of a transaction.
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::seconds kThrottlePause{1};

constexpr int kMostSeals = 5;

// The exchange found something that is done before its lock the next time.
bool ComesAgain(const Error& error) {
  return error.code() == "SH-0825" || error.code() == "SH-0858";
}

OperationProgress At(const std::string& phase, std::int64_t rows = 0) {
  return {.phase = phase, .cursor = "", .rows = rows, .total = std::nullopt, .finished = false};
}

OperationProgress End(const std::string& phase) {
  OperationProgress progress = At(phase);
  progress.finished = true;
  return progress;
}

std::string TextOf(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text.append(text.empty() ? "" : "; ").append(line);
  return text;
}

std::string TextOf(const std::vector<Blocker>& blockers) {
  std::vector<std::string> lines;
  for (const Blocker& blocker : blockers) {
    lines.push_back(blocker.what + (blocker.table.empty() ? "" : " on " + blocker.table));
  }
  return TextOf(lines);
}

void RequireOne(const Result& changed) {
  if (changed.affected_rows() == 1) return;
  throw Error(SUMMA_E_TRY_LATER, "SH-0828", "the migration was continued by another host",
              "Nothing is needed");
}

[[noreturn]] void ThrowInTheWay() {
  throw Error(SUMMA_E_TRY_LATER, "SH-0851", "somebody stands in the way of the migration",
              "`migrate:partition-event-store --status` names who; it is tried again");
}

// The end of the first piece of the range, of at most `rows` rows: a statement over more could take
// longer than the host allows.
std::int64_t PieceEnd(Session& session, const ComparedTables& tables, const std::string& table,
                      PositionRange range, std::int64_t rows) {
  const Result last =
      session.Exec("SELECT " + tables.position + " AS last FROM " + table + " WHERE " +
                       tables.position + " > $1 AND " + tables.position + " <= $2 ORDER BY " +
                       tables.position + " OFFSET $3 LIMIT 1",
                   {range.after, range.through, rows - 1});
  return last.rows() == 0 ? range.through : last[0].Get<std::int64_t>("last");
}

// Where writers write at the moment.
std::string SourceOf(const MigrationRecord& record, const ComparedTables& tables) {
  return record.state == "swapped" ? tables.partitioned : tables.flat;
}

MigrationRecord CurrentRecord(OperationStep& step) {
  Session session(step.sql());
  return ReadRecord(session, step.id()).value();
}

// How many events have come since the last seal; more than `most` is any higher number.
std::int64_t TailRows(OperationStep& step, const MigrationRecord& record, std::int64_t most) {
  Session session(step.sql());
  const ComparedTables tables = TablesOf(session, record);
  return session
      .Exec("SELECT count(*) FROM (SELECT 1 FROM " + SourceOf(record, tables) + " WHERE " +
                tables.position + " > $1 LIMIT $2) tail",
            {record.sealed, most + 1})
      .Value<std::int64_t>();
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

void NoteLock(Session& session, std::int64_t operation, std::chrono::microseconds held) {
  session.Exec("UPDATE summa_host.migration SET exclusive_lock_us = $2 WHERE operation = $1",
               {operation, held.count()});
}

}  // namespace

OperationBinding Migration::Binding() {
  return {kMigrationKind, [this](OperationStep& step) { return Step(step); },
          [this](OperationStep& step) { Undo(step); }};
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
  progress.total = estimate.rows;
  CrashPoint("migration.plan");
  return progress;
}

Migration::Progress Migration::MakeShadow(OperationStep& step,
                                          const MigrationRecord& record) const {
  Session& session = step.Transaction();
  session.Exec(kLongStatement);
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
  Session& session = step.Transaction();
  session.Exec(
      "UPDATE summa_host.migration SET waiting_for = '' WHERE operation = $1 AND waiting_for <> ''",
      {record.operation});
  const std::int64_t rows = RowsOfChunks(session, record.operation) - step.done();
  if (copied.any) return At("backfilling", rows);
  // Every chunk is committed, so a snapshot that is younger than this transaction sees them all.
  session.Exec(
      "UPDATE summa_host.migration SET backfill_xid = pg_current_xact_id()::text WHERE operation = "
      "$1",
      {record.operation});
  ChangeState(session, record.operation, "backfilling", "indexing");
  CrashPoint("migration.backfilled");
  return At("indexing", rows);
}

// One index, or one partition, in each step; the catalog says which is the next.
Migration::Progress Migration::Index(OperationStep& step, const MigrationRecord& record) const {
  const WorkCaller caller = CallerOfStep(step);
  Session session(step.sql());
  const Inventory flat = ReadInventory(session, record.old_table);
  if (!CreateNextIndex(session, flat, record.new_table).empty()) {
    CrashPoint("migration.index");
    return At("indexing");
  }
  const std::string shadow = NameOfTable(session, record.new_table).quoted();
  const PartitionedTable table = ReadTable(session, shadow);
  const DdlOutcome parent =
      RunDdl(session, caller, {{shadow, LockMode::kShareRowExclusive}}, {}, [&](Session& locked) {
        RequireRunning(locked, record.operation);
        CreateParentIndexes(locked, flat, shadow);
        CrashPoint("migration.parent_index");
      });
  if (!parent.done) return WaitFor(step, TextOf(parent.blockers));
  for (const Partition& leaf : table.partitions) {
    const DdlOutcome attached = RunDdl(
        session, caller,
        {{shadow, LockMode::kShareUpdateExclusive}, {leaf.quoted, LockMode::kAccessExclusive}},
        {}, [&](Session& locked) {
          RequireRunning(locked, record.operation);
          AttachIndexes(locked, flat, shadow, leaf.quoted);
          CrashPoint("migration.attach_index");
        });
    if (!attached.done) return WaitFor(step, TextOf(attached.blockers));
    session.ExecAutocommit("VACUUM (FREEZE, ANALYZE) " + leaf.quoted);
  }
  Session& last = step.Transaction();
  last.Exec(kLongStatement);
  last.Exec("ANALYZE " + shadow);
  ChangeState(last, record.operation, "indexing", "verifying");
  CrashPoint("migration.indexed");
  return At("verifying");
}

Migration::Progress Migration::Verify(OperationStep& step, const MigrationRecord& record) const {
  if (record.bound) {
    if (ValidateBound(step.sql(), record)) return Again(step, record);
    Session& session = step.Transaction();
    session.Exec(
        "UPDATE summa_host.migration SET verification = 'no row is copied' WHERE operation = $1",
        {record.operation});
    ChangeState(session, record.operation, "verifying", "ready");
    CrashPoint("migration.bound_verified");
    return At("ready");
  }
  if (Settle(step, record)) return Again(step, record);
  Session& session = step.Transaction();
  session.Exec(kLongStatement);
  const ComparedTables tables = TablesOf(session, record);
  std::string problem = TilingProblem(session, record.operation, {record.base, record.sealed});
  if (problem.empty()) {
    const std::int64_t outside =
        RowsOutside(session, tables, {record.base, std::numeric_limits<std::int64_t>::max()});
    if (outside > 0) problem = std::to_string(outside) + " rows are below the first position";
  }
  if (!problem.empty()) ThrowDifference(problem);
  session.Exec(
      "UPDATE summa_host.migration m SET verification = format('%s: %s chunks, %s rows', "
      "verify_level, c.n, c.rows) FROM (SELECT count(*) AS n, coalesce(sum(row_count), 0) AS rows "
      "FROM summa_host.migration_chunk WHERE operation = $1) c WHERE m.operation = $1",
      {record.operation});
  ChangeState(session, record.operation, "verifying", "ready");
  CrashPoint("migration.verified");
  return At("ready");
}

bool Migration::FillGuardFurther(OperationStep& step, const MigrationRecord& record) {
  if (record.guard >= record.sealed || record.state == "swapped") return false;
  Session session(step.sql());
  const ComparedTables tables = TablesOf(session, record);
  const std::int64_t through =
      PieceEnd(session, tables, tables.flat, {record.guard, record.sealed}, record.batch_size);
  session.Begin();
  session.Exec(kLongStatement);
  ledger::EventTable events = EventsOf(session, record);
  events.name = tables.flat;
  RequireOne(
      session.Exec("UPDATE summa_host.migration SET guard_position = $3 WHERE operation = "
                   "$1 AND guard_position = $2",
                   {record.operation, record.guard, through}));
  FillGuard(session, events, record.guard, through);
  CrashPoint("migration.guard");
  session.Commit();
  return true;
}

bool Migration::Settle(OperationStep& step, const MigrationRecord& record) {
  if (FillGuardFurther(step, record)) return true;
  ComparedTables tables;
  {
    Session session(step.sql());
    tables = TablesOf(session, record);
  }
  return VerifyNextChunk(step.sql(), record, tables);
}

// The tail that was mirrored becomes a chunk, which is then verified like the others.
std::string Migration::Seal(OperationStep& step, const MigrationRecord& record) const {
  Session session(step.sql());
  const ComparedTables tables = TablesOf(session, record);
  std::vector<std::int64_t> tree = {record.old_table, record.new_table};
  for (const Partition& leaf : ReadTable(session, tables.partitioned).partitions) {
    tree.push_back(leaf.oid);
  }
  const Sealed found = SealedPosition(session, CallerOfStep(step), SourceOf(record, tables),
                                      tables.position, tree, kPatience);
  if (!found.position) return found.in_the_way;
  if (*found.position <= record.sealed) return "a writer has not ended its transaction";
  const std::int64_t through = PieceEnd(session, tables, SourceOf(record, tables),
                                        {record.sealed, *found.position}, record.batch_size);
  session.Begin();
  RequireOne(session.Exec(
      "UPDATE summa_host.migration SET sealed_position = $3, guard_position = CASE state WHEN "
      "'swapped' THEN $3 ELSE guard_position END WHERE operation = $1 AND sealed_position = $2",
      {record.operation, record.sealed, through}));
  if (!record.bound) {
    session.Exec(
        "INSERT INTO summa_host.migration_chunk (operation, number, after_position, "
        "through_position, state, row_count) VALUES ($1, $2, $3, $4, 'copied', 0)",
        {record.operation, record.sealed + 1, record.sealed, through});
  }
  CrashPoint("migration.seal");
  session.Commit();
  return "";
}

Migration::Progress Migration::Ready(OperationStep& step, const MigrationRecord& record) {
  const bool swap = record.request == "swap";
  if (Progress kept = KeepTailShort(step, record, swap ? kMostTailRows / 2 : record.batch_size)) {
    waits_for_people_ = !swap;  // the tail of a busy ledger never ends
    return kept;
  }
  if (swap) return Swap(step, record);
  waits_for_people_ = true;
  return std::nullopt;
}

// Nothing: the tail is short, and all before it is verified.
Migration::Progress Migration::KeepTailShort(OperationStep& step, const MigrationRecord& record,
                                             std::int64_t most) const {
  if (Settle(step, record)) return Again(step, record);
  if (TailRows(step, record, most) <= most) return std::nullopt;
  const std::string in_the_way = Seal(step, record);
  if (!in_the_way.empty()) WaitFor(step, in_the_way);
  return Again(step, record);
}

// Under the lock of an exchange everything is compared, and put into the guard, that came after the
// last seal.
Migration::Settled Migration::ShortenTail(OperationStep& step) const {
  for (int seals = 0;;) {
    MigrationRecord record = CurrentRecord(step);
    if (record.verification_failed) ThrowDifference(record.verification);
    if (Settle(step, record)) continue;
    // The tail of a busy ledger is never that short.
    if (seals == kMostSeals || TailRows(step, record, kShortTailRows) <= kShortTailRows) {
      return {std::move(record), ""};
    }
    std::string in_the_way = Seal(step, record);
    if (!in_the_way.empty()) return {std::nullopt, std::move(in_the_way)};
    ++seals;
  }
}

Migration::Progress Migration::Swap(OperationStep& step, const MigrationRecord& record) const {
  Session session(step.sql());
  if (record.backfill_xid) {
    const std::vector<Blocker> older = OlderSnapshots(session, *record.backfill_xid);
    if (!older.empty()) return WaitFor(step, TextOf(older));
  }
  DdlOutcome outcome;
  try {
    const Exchange exchange = PrepareSwap(session, record);
    const Settled settled = ShortenTail(step);
    if (!settled.record) return WaitFor(step, settled.in_the_way);
    outcome = SwapTables(session, CallerOfStep(step), *settled.record, exchange);
  } catch (const Error& error) {
    if (!ComesAgain(error)) throw;
    return Again(step, record);
  }
  if (!outcome.done) return WaitFor(step, TextOf(outcome.blockers));
  CrashPoint("migration.swapped");
  NoteLock(step.Transaction(), record.operation, outcome.held);
  return At("swapped");
}

bool Migration::FinalizeNow(OperationStep& step, const MigrationRecord& record) const {
  ValidateReferences(step.sql(), record);  // when a crash came between the exchange and this
  Session session(step.sql());
  const WorkCaller caller = CallerOfStep(step);
  DdlOutcome outcome;
  if (record.slices == "exchanged") {
    outcome = FinalizeSlices(session, caller, record);
  } else {
    outcome = LeaveSlices(session, caller, record);
    if (outcome.done) outcome = Finalize(session, caller, record);
  }
  if (!outcome.done) SetWaitingFor(session, step.id(), TextOf(outcome.blockers));
  if (outcome.done) CrashPoint("migration.finalized");
  return outcome.done;
}

// One part of the way back: verify, seal, or exchange. False: somebody stands in the way.
bool Migration::GoBack(OperationStep& step, const MigrationRecord& record) const {
  if (record.verification_failed && !record.bound) ThrowDifference(record.verification);
  Session session(step.sql());
  try {
    const bool sliced = !record.slices.empty() && record.slices != "restored";
    if (sliced) return GoBackFromSlices(step, record);
    const Exchange exchange = PrepareSwapBack(session, record);
    const Settled settled = record.bound ? Settled{record, ""} : ShortenTail(step);
    if (!settled.record) {
      SetWaitingFor(session, step.id(), settled.in_the_way);
      return false;
    }
    const DdlOutcome outcome = SwapBack(session, CallerOfStep(step), *settled.record, exchange);
    if (!outcome.done) SetWaitingFor(session, step.id(), TextOf(outcome.blockers));
    if (outcome.done) CrashPoint("migration.swapped_back");
    return outcome.done;
  } catch (const Error& error) {
    if (!ComesAgain(error)) throw;
    return true;
  }
}

// Before the exchange of the slices the way goes on from there.
bool Migration::GoBackFromSlices(OperationStep& step, const MigrationRecord& record) const {
  Session session(step.sql());
  DdlOutcome outcome;
  if (record.slices == "exchanged") {
    outcome = RestoreFlat(session, CallerOfStep(step), record);
  } else {
    RequireUnused(session, record);
    outcome = LeaveSlices(session, CallerOfStep(step), record);
  }
  if (!outcome.done) SetWaitingFor(session, step.id(), TextOf(outcome.blockers));
  return outcome.done;
}

Migration::Progress Migration::Slice(OperationStep& step, const MigrationRecord& record) {
  const SliceOutcome outcome = StepSlices(step, CallerOfStep(step), record, closed_after_);
  waits_for_people_ = outcome.for_people;
  if (outcome.for_people) {
    Session session(step.sql());
    SetWaitingFor(session, step.id(), outcome.waits_for);
  } else if (!outcome.progress) {
    WaitFor(step, outcome.waits_for);
  }
  return outcome.progress;
}

Migration::Progress Migration::Swapped(OperationStep& step, const MigrationRecord& record) {
  if (record.request == "finalize") {
    if (record.verification_failed && !record.bound) ThrowDifference(record.verification);
    if (!FinalizeNow(step, record)) return std::nullopt;
    step.Transaction();
    return End("finalized");
  }
  if (record.request == "rollback") {
    if (!GoBack(step, record)) return std::nullopt;
    return Again(step, record);
  }
  if (ValidateReferences(step.sql(), record)) return Again(step, record);
  if (record.bound) return Slice(step, record);
  waits_for_people_ = true;
  if (record.verification_failed) return std::nullopt;
  return KeepTailShort(step, record, record.batch_size);
}

Migration::Progress Migration::Again(OperationStep& step, const MigrationRecord& record) {
  step.Transaction().Exec(
      "UPDATE summa_host.migration SET waiting_for = '' WHERE operation = $1 AND waiting_for <> ''",
      {record.operation});
  return At(record.state);
}

// The flat table is in its place again.
void Migration::Clean(OperationStep& step, const MigrationRecord& record) {
  ValidateReferences(step.sql(), record);
  Session& session = step.Transaction();
  session.Exec(kLongStatement);
  DropShadow(session, record);
  ChangeState(session, record.operation, "restored", "rolled_back");
  CrashPoint("migration.restored");
}

Migration::Progress Migration::Restored(OperationStep& step, const MigrationRecord& record) {
  Clean(step, record);
  return End("rolled_back");
}

Migration::Progress Migration::Abort(OperationStep& step, const MigrationRecord& record) const {
  {
    Session session(step.sql());
    const DdlOutcome outcome = EndSync(session, CallerOfStep(step), record);
    if (!outcome.done) return WaitFor(step, TextOf(outcome.blockers));
  }
  CrashPoint("migration.abort");
  Session& session = step.Transaction();
  session.Exec(kLongStatement);
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
