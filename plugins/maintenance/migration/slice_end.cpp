#include "migration/slice_end.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <summa/crash_point.hpp>
#include <utility>
#include <vector>

#include "migration/backfill.hpp"
#include "migration/bound.hpp"
#include "migration/exchange.hpp"
#include "migration/readers_away.hpp"
#include "migration/sync.hpp"
#include "migration/verify.hpp"
#include "migration_sql.hpp"
#include "partition/catalog.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

using Statements = std::vector<std::string>;

DdlOutcome Nothing() {
  DdlOutcome nothing;
  nothing.done = true;
  return nothing;
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

// Rows of a slice that the flat table has not: inserted since the exchange. A position up to the
// last one of the flat table is refused by a trigger.
void RequireNothingNew(Session& session, const ComparedTables& tables,
                       const MigrationRecord& record) {
  const bool added =
      session
          .Exec("SELECT EXISTS (SELECT FROM " + tables.partitioned +
                    " WHERE created_at < $1::" + "timestamptz AND " + tables.position + " > $2)",
                {IsoText(*record.bound), record.through})
          .Value<bool>();
  if (added) ThrowClosed("events have come with a time before " + IsoText(*record.bound));
}

// What is slow of it: both copies are counted. Their rows cannot be changed, so it is true as long as
// the catalog says the same of the table.
void RequireSameRows(Session& session, const ComparedTables& tables,
                     const MigrationRecord& record) {
  const std::string before = " WHERE created_at < " + QuoteTime(*record.bound);
  const bool same =
      ReadLong(session, "SELECT (SELECT count(*) FROM " + tables.flat +
                            ") = (SELECT count(*) FROM " + tables.partitioned + before + ")")
          .Value<bool>();
  if (!same) ThrowClosed("a slice was detached, or rows of it are gone");
}

void RequireSame(Session& session, const ComparedTables& tables, const MigrationRecord& record,
                 const std::vector<Partition>& slices) {
  std::vector<std::int64_t> oids;
  oids.reserve(slices.size());
  for (const Partition& slice : slices) oids.push_back(slice.oid);
  const Result changed = session.Exec(migration_sql::changed_slices, {IntegerArray(oids)});
  if (changed.rows() > 0) {
    ThrowClosed(changed[0].Get<std::string>("name") + " was made after the exchange of the slices");
  }
  RequireNothingNew(session, tables, record);
}

PreparedExchange PrepareRestore(Session& session, const MigrationRecord& record,
                                const ComparedTables& tables, std::string& counted) {
  PreparedExchange exchange;
  exchange.stamp = StampOf(session, record.new_table);
  const std::vector<Partition> slices = PartitionsBefore(session, record);
  const std::string other = OtherShape(session, record.new_table, record.old_table);
  if (!other.empty()) ThrowClosed(record.table + " was altered: " + other);
  RequireSame(session, tables, record, slices);
  if (counted != exchange.stamp) RequireSameRows(session, tables, record);
  counted = exchange.stamp;
  CheckBound(session, record);
  exchange.locks = {{tables.partitioned}, {tables.flat}};
  std::vector<std::string> names;
  names.reserve(slices.size());
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

void DropSlices(Session& session, const MigrationRecord& record) {
  if (record.slice_table != 0) {
    session.Exec("DROP TABLE " + NameOfTable(session, record.slice_table).quoted());
  }
  ForgetChunks(session, record.operation);
  session.Exec(
      "UPDATE summa_host.migration SET slice_table = NULL, verification = 'no row is copied', "
      "verification_failed = false WHERE operation = $1",
      {record.operation});
  ChangeSlices(session, record.operation, record.slices, "frozen");
}

DdlOutcome LeaveSlices(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  if (record.slices.empty() || record.slices == "restored") return Nothing();
  session.Begin();
  LiftStatementTimeout(session);
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

DdlOutcome RestoreFlat(OperationStep& step, const WorkCaller& caller, const MigrationRecord& record,
                       std::string& counted) {
  Session session(step.sql());
  const ComparedTables tables = TablesOf(session, record);
  const PreparedExchange exchange = PrepareRestore(session, record, tables, counted);
  const ReadersAway away(step, caller, exchange.locks);
  DdlOutcome done = RunDdl(session, caller, exchange.locks, ExchangeLimits(), [&](Session& locked) {
    RequireStamp(locked, record.new_table, exchange.stamp);
    RequireNothingNew(locked, tables, record);
    RunTogether(locked, exchange.statements);
    TakeRequest(locked, record.operation, "rollback");
    ChangeSlices(locked, record.operation, "exchanged", "restored");
    CrashPoint("migration.slices_restore");
  });
  RequireInTime(done,
                "Nothing was changed, and the slices stay. Say `migrate:partition-event-store "
                "--rollback --yes` again when the machine is less busy");
  if (done.done) CrashPoint("migration.slices_restored");
  return done;
}

DdlOutcome FinalizeSlices(Session& session, const WorkCaller& caller,
                          const MigrationRecord& record) {
  const std::string flat = NameOfTable(session, record.old_table).quoted();
  for (const std::string& table : TablesThatRefuse(session)) {
    if (table == flat) continue;
    DdlOutcome freed = RunDdl(session, caller, {{table}}, Limits(), [&](Session& locked) {
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
