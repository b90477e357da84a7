#include "migration/mirror.hpp"

#include <string>
#include <summa/crash_point.hpp>
#include <vector>

#include "guard/guard.hpp"
#include "migration/bound.hpp"
#include "migration/exchange.hpp"
#include "migration/sync.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// The fingerprint keeps them as they are until the exchange.
void RememberIndexNames(Session& session, const MigrationRecord& record) {
  session.Exec(
      "UPDATE summa_host.migration m SET index_names = (SELECT jsonb_object_agg(x.indexrelid::"
      "bigint::text, i.relname) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE "
      "x.indrelid = m.old_table) WHERE operation = $1",
      {record.operation});
}

}  // namespace

void PrepareShadow(Session& session, const MigrationRecord& record) {
  const ComparedTables tables = TablesOf(session, record);
  ledger::EventTable events = EventsOf(session, record);
  events.name = tables.flat;
  const GuardNames names = NamesOfFlatTable(session, events);
  events.name = tables.partitioned;
  CreateGuardFunction(session, events, names);
  PrepareGuard(session, events);
  CreateSyncFunctions(session, {tables.flat, tables.partitioned, OldName(record), tables.columns});
  if (!record.bound) PrepareReverseSync(session, tables.partitioned);
  RememberIndexNames(session, record);
}

DdlOutcome BeginSync(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  const std::string stamp = StampOf(session, record.old_table);
  RequireUnchanged(record, ReadInventory(session, record.old_table));
  const ComparedTables tables = TablesOf(session, record);
  return RunDdl(
      session, caller, {{tables.flat, LockMode::kShareRowExclusive}}, Limits(),
      [&](Session& locked) {
        RequireRunning(locked, record.operation);
        RequireStamp(locked, record.old_table, stamp);
        RunTogether(locked, BeginForwardSync(tables.flat));
        // Under the lock: every row is either visible here, or will be mirrored.
        locked.Exec(
            "UPDATE summa_host.migration SET (base_position, through_position, sealed_position, "
            "guard_position) = (SELECT base, through, through, base FROM (SELECT coalesce(min(" +
                tables.position + ") - 1, 0) AS base, coalesce(max(" + tables.position +
                "), 0) AS through FROM " + tables.flat + ") span) WHERE operation = $1",
            {record.operation});
        ChangeState(locked, record.operation, "syncing", "backfilling");
        CrashPoint("migration.sync");
      });
}

DdlOutcome EndSync(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  const std::string flat = NameOfTable(session, record.old_table).quoted();
  std::vector<std::string> statements = LeaveAlone(flat);
  statements.push_back(DropBound(flat));
  return RunDdl(
      session, caller, {{flat, LockMode::kAccessExclusive}}, Limits(), [&](Session& locked) {
        RunTogether(locked, statements);
        // Nothing but its end is left for a migration without its mirror.
        locked.Exec("UPDATE summa_host.migration SET request = 'abort' WHERE operation = $1",
                    {record.operation});
        CrashPoint("migration.end_sync");
      });
}

void DropShadow(Session& session, const MigrationRecord& record) {
  const bool made = session
                        .Exec("SELECT EXISTS (SELECT FROM pg_class WHERE oid = $1::bigint::oid)",
                              {record.new_table})
                        .Value<bool>();
  if (made) session.Exec("DROP TABLE " + NameOfTable(session, record.new_table).quoted());
  DropSyncFunctions(session);
  DropGuardFunctions(session);
  session.Exec("TRUNCATE summa_host.ledger_event_head, summa_host.ledger_event_key");
}

}  // namespace summa::maintenance
