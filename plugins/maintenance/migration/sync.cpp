#include "migration/sync.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "migration_sql.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kForward = "summa_host.ledger_event_forward";
constexpr const char* kReverse = "summa_host.ledger_event_reverse";
constexpr const char* kRefuse = "summa_host.ledger_event_no_change";
constexpr const char* kMirrorTrigger = "summa_migration_mirror";
constexpr const char* kChangeTrigger = "summa_migration_no_change";
constexpr const char* kTruncateTrigger = "summa_migration_no_truncate";
constexpr const char* kInsertTrigger = "summa_migration_no_insert";

void CreateFunction(Session& session, std::string_view statement, const char* function,
                    const std::string& target, const std::vector<std::string>& columns) {
  session.Exec(WithNames(statement, {{"function", function},
                                     {"target", target},
                                     {"new_columns", Joined(columns, "NEW.")},
                                     {"columns", Joined(columns)}}));
  session.Exec(std::string("REVOKE ALL ON FUNCTION ") + function + "() FROM PUBLIC");
}

std::string CreateTrigger(const std::string& name, const std::string& when,
                          const std::string& table, const std::string& each, const char* function) {
  return "CREATE TRIGGER " + name + " " + when + " ON " + table + " " + each +
         " EXECUTE FUNCTION " + function + "()";
}

// Also where session_replication_role is replica: a row that is not mirrored is lost.
std::string EnableAlways(const std::string& table, const std::vector<std::string>& triggers) {
  return "ALTER TABLE " + table + " " + Joined(triggers, "ENABLE ALWAYS TRIGGER ");
}

std::vector<std::string> Refuse(const std::string& table, const std::string& each,
                                const std::string& when = "BEFORE UPDATE OR DELETE") {
  return {CreateTrigger(kChangeTrigger, when, table, each, kRefuse),
          CreateTrigger(kTruncateTrigger, "BEFORE TRUNCATE", table, "FOR EACH STATEMENT", kRefuse),
          EnableAlways(table, {kChangeTrigger, kTruncateTrigger})};
}

}  // namespace

void CreateSyncFunctions(Session& session, const SyncTables& tables) {
  CreateFunction(session, migration_sql::mirror_insert, kForward, tables.shadow, tables.columns);
  CreateFunction(session, migration_sql::mirror_row, kReverse, tables.old_flat, tables.columns);
  CreateFunction(session, migration_sql::forbid_change, kRefuse, "", {});
}

void DropSyncFunctions(Session& session) {
  for (const char* function : {kForward, kReverse, kRefuse}) {
    session.Exec(std::string("DROP FUNCTION IF EXISTS ") + function + "()");
  }
}

void PrepareReverseSync(Session& session, const std::string& shadow) {
  std::vector<std::string> statements = Refuse(shadow, "FOR EACH ROW");
  statements.push_back(
      CreateTrigger(kMirrorTrigger, "AFTER INSERT", shadow, "FOR EACH ROW", kReverse));
  statements.push_back("ALTER TABLE " + shadow + " DISABLE TRIGGER " + kMirrorTrigger);
  RunTogether(session, statements);
}

std::vector<std::string> RefuseChanges(const std::string& flat) {
  return Refuse(flat, "FOR EACH STATEMENT");
}

// Of rows: a statement that names the parent does not fire the statement triggers of a partition.
std::vector<std::string> RefuseChangesOfRows(const std::string& partition) {
  return Refuse(partition, "FOR EACH ROW");
}

std::vector<std::string> RefuseRows(const std::string& partition) {
  return Refuse(partition, "FOR EACH ROW", "BEFORE INSERT OR UPDATE OR DELETE");
}

std::vector<std::string> RefuseRowsThrough(const std::string& partition,
                                           const std::string& position, std::int64_t through) {
  return {
      std::string("DROP TRIGGER IF EXISTS ") + kInsertTrigger + " ON " + partition,
      CreateTrigger(kInsertTrigger, "BEFORE INSERT", partition,
                    "FOR EACH ROW WHEN (NEW." + position + " <= " + std::to_string(through) + ")",
                    kRefuse),
      EnableAlways(partition, {kInsertTrigger})};
}

std::vector<std::string> TablesThatRefuse(Session& session) {
  std::vector<std::string> tables;
  const Result found = session.Exec(
      "SELECT DISTINCT format('%I.%I', n.nspname, c.relname) AS name FROM pg_trigger g JOIN "
      "pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
      "g.tgfoid = to_regproc($1::text)::oid ORDER BY 1",
      {kRefuse});
  for (const Row row : found) tables.push_back(row.Get<std::string>("name"));
  return tables;
}

std::vector<std::string> BeginForwardSync(const std::string& flat) {
  std::vector<std::string> statements = RefuseChanges(flat);
  statements.push_back(CreateTrigger(kMirrorTrigger, "AFTER INSERT", flat,
                                     "REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT",
                                     kForward));
  statements.push_back(EnableAlways(flat, {kMirrorTrigger}));
  return statements;
}

std::vector<std::string> TurnSync(const std::string& flat, const std::string& shadow) {
  return {std::string("DROP TRIGGER ") + kMirrorTrigger + " ON " + flat,
          EnableAlways(shadow, {kMirrorTrigger})};
}

std::vector<std::string> LeaveAlone(const std::string& table) {
  std::vector<std::string> statements;
  for (const char* trigger : {kMirrorTrigger, kChangeTrigger, kTruncateTrigger, kInsertTrigger}) {
    statements.push_back(std::string("DROP TRIGGER IF EXISTS ") + trigger + " ON " + table);
  }
  return statements;
}

}  // namespace summa::maintenance
