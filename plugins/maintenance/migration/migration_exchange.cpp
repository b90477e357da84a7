// From the last verified chunk on: the exchange, what is possible after it, and the way back.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <summa/crash_point.hpp>
#include <utility>
#include <vector>

#include "guard/guard.hpp"
#include "migration/backfill.hpp"
#include "migration/bound.hpp"
#include "migration/exchange.hpp"
#include "migration/migration.hpp"
#include "migration/mirror.hpp"
#include "migration/progress.hpp"
#include "migration/readers_away.hpp"
#include "migration/seal.hpp"
#include "migration/slice.hpp"
#include "migration/slice_end.hpp"
#include "migration/swap.hpp"
#include "migration/verify.hpp"
#include "partition/catalog.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// How long one step waits for writers that are in the middle of a transaction.
constexpr std::chrono::seconds kPatience{10};

constexpr int kMostSeals = 5;

void RequireOne(const Result& changed) {
  if (changed.affected_rows() == 1) return;
  throw Error(SUMMA_E_TRY_LATER, "SH-0828", "the migration was continued by another host",
              "Nothing is needed");
}

// Where writers write at the moment.
std::string SourceOf(const MigrationRecord& record, const ComparedTables& tables) {
  return record.state == "swapped" ? tables.partitioned : tables.flat;
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

}  // namespace

bool Migration::FillGuardFurther(OperationStep& step, const MigrationRecord& record) {
  if (record.guard >= record.sealed || record.state == "swapped") return false;
  Session session(step.sql());
  const ComparedTables tables = TablesOf(session, record);
  const std::int64_t through =
      PieceEnd(session, tables, tables.flat, {record.guard, record.sealed}, record.batch_size);
  session.Begin();
  LiftStatementTimeout(session);
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
  return VerifyNextChunks(step.sql(), record, tables);
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
  // What an exchange waits for is still true after such a step.
  const auto again = [&] {
    return record.request == "swap" ? At(record.state) : Again(step, record);
  };
  if (Settle(step, record)) return again();
  if (TailRows(step, record, most) <= most) return std::nullopt;
  const std::string in_the_way = Seal(step, record);
  if (in_the_way.empty()) return again();
  WaitFor(step, in_the_way);
  return At(record.state);
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
    const ReadersAway away(step, CallerOfStep(step), exchange.locks);
    const Settled settled = ShortenTail(step);
    if (!settled.record) return WaitFor(step, settled.in_the_way);
    outcome = SwapTables(session, CallerOfStep(step), *settled.record, exchange);
  } catch (const Error& error) {
    if (!ComesAgain(error)) throw;
    return At(record.state);
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

// One part of the way back: verify, seal, or exchange. False: somebody stands in the way. A way
// back that is closed, or stalls writers for too long, is asked for no longer: the migration goes
// on where it was.
bool Migration::GoBack(OperationStep& step, const MigrationRecord& record) {
  if (record.verification_failed && !record.bound) ThrowDifference(record.verification);
  Session session(step.sql());
  try {
    const bool sliced = !record.slices.empty() && record.slices != "restored";
    if (sliced) return GoBackFromSlices(step, record);
    const Exchange exchange = PrepareSwapBack(session, record);
    const ReadersAway away(step, CallerOfStep(step), exchange.locks);
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
    if (ComesAgain(error)) return true;
    if (error.code() == kWayBackClosed || error.code() == kTooSlow) {
      session.Begin();
      TakeRequest(session, step.id(), "rollback");
      session.Commit();
    }
    throw;
  }
}

// Before the exchange of the slices the way goes on from there.
bool Migration::GoBackFromSlices(OperationStep& step, const MigrationRecord& record) {
  Session session(step.sql());
  DdlOutcome outcome;
  if (record.slices == "exchanged") {
    outcome = RestoreFlat(step, CallerOfStep(step), record, counted_);
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

// The flat table is in its place again.
void Migration::Clean(OperationStep& step, const MigrationRecord& record) {
  ValidateReferences(step.sql(), record);
  Session& session = step.Transaction();
  LiftStatementTimeout(session);
  DropShadow(session, record);
  ChangeState(session, record.operation, "restored", "rolled_back");
  CrashPoint("migration.restored");
}

Migration::Progress Migration::Restored(OperationStep& step, const MigrationRecord& record) {
  Clean(step, record);
  return End("rolled_back");
}

}  // namespace summa::maintenance
