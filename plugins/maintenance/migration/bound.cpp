#include "migration/bound.hpp"

#include <string>
#include <summa/crash_point.hpp>
#include <vector>

#include "migration/exchange.hpp"
#include "migration/sync.hpp"
#include "partition/leaf.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kBound = "summa_migration_bound";

}  // namespace

DdlOutcome BeginBound(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  const std::string stamp = StampOf(session, record.old_table);
  RequireUnchanged(record, ReadInventory(session, record.old_table));
  const ComparedTables tables = TablesOf(session, record);
  // Heads and keys of the guard are filled from the rows as they are now.
  std::vector<std::string> statements = RefuseChanges(tables.flat);
  statements.push_back("ALTER TABLE " + tables.flat + " ADD CONSTRAINT " + kBound +
                       " CHECK (created_at < " + QuoteTime(*record.bound) + ") NOT VALID");
  return RunDdl(
      session, caller, {{tables.flat, LockMode::kAccessExclusive}}, Limits(), [&](Session& locked) {
        RequireRunning(locked, record.operation);
        RequireStamp(locked, record.old_table, stamp);
        RunTogether(locked, statements);
        locked.Exec(
            "UPDATE summa_host.migration SET (base_position, through_position, sealed_position, "
            "guard_position) = (SELECT p, p, p, p FROM (SELECT coalesce(min(" +
                tables.position + ") - 1, 0) AS p FROM " + tables.flat +
                ") first) WHERE operation = $1",
            {record.operation});
        ChangeState(locked, record.operation, "syncing", "indexing");
        CrashPoint("migration.bound");
      });
}

bool ValidateBound(const summa_sql_v1* sql, const MigrationRecord& record) {
  Session session(sql);
  const Result open = session.Exec(
      "SELECT 1 FROM pg_constraint WHERE conrelid = $1::bigint::oid AND conname = $2 AND NOT "
      "convalidated",
      {record.old_table, kBound});
  if (open.rows() == 0) return false;
  session.Begin();
  LiftStatementTimeout(session);
  session.Exec("ALTER TABLE " + NameOfTable(session, record.old_table).quoted() +
               " VALIDATE CONSTRAINT " + kBound);
  CrashPoint("migration.validate_bound");
  session.Commit();
  return true;
}

std::vector<std::string> AttachFlat(const MigrationRecord& record) {
  std::vector<std::string> statements = StatementsOfAttach(
      record.ApplicationName(), OldName(record), DatabaseTime::min(), *record.bound);
  statements.back() = "ALTER TABLE " + OldName(record) + " DROP CONSTRAINT " + kBound;
  return statements;
}

void CheckBound(Session& session, const MigrationRecord& record) {
  const bool checked = session
                           .Exec(
                               "SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = "
                               "$1::bigint::oid AND conname = $2)",
                               {record.old_table, kBound})
                           .Value<bool>();
  if (checked) return;
  session.Begin();
  LiftStatementTimeout(session);
  session.Exec("ALTER TABLE " + OldName(record) + " ADD CONSTRAINT " + kBound +
               " CHECK (created_at < " + QuoteTime(*record.bound) + ")");
  session.Commit();
}

std::string DropBound(const std::string& flat) {
  return "ALTER TABLE " + flat + " DROP CONSTRAINT IF EXISTS " + kBound;
}

void ThrowClosed(const std::string& why) {
  throw Error(SUMMA_E_DATA, kWayBackClosed, why + ": the way back is closed",
              "Nothing was changed, and the migration goes on where it was. Once it is sliced, "
              "`migrate:partition-event-store --finalize --yes` ends it");
}

void RequireUnused(Session& session, const MigrationRecord& record) {
  const bool used = session
                        .Exec("SELECT EXISTS (SELECT FROM " + record.ApplicationName() +
                                  " WHERE created_at >= $1::timestamptz)",
                              {IsoText(*record.bound)})
                        .Value<bool>();
  if (!used) return;
  ThrowClosed("events have come since " + IsoText(*record.bound) +
              ", when the first new partition began");
}

}  // namespace summa::maintenance
