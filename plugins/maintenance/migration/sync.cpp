#include "migration/sync.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "migration_sql.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kForward = "ledger_event_forward";
constexpr const char* kReverse = "ledger_event_reverse";
constexpr const char* kForbid = "ledger_event_no_change";

void Replace(std::string& text, std::string_view name, const std::string& value) {
  for (std::size_t at = text.find(name); at != std::string::npos;
       at = text.find(name, at + value.size())) {
    text.replace(at, name.size(), value);
  }
}

std::string Joined(const std::vector<std::string>& columns, const std::string& before = "") {
  std::string list;
  for (const std::string& column : columns) {
    list.append(list.empty() ? "" : ", ").append(before).append(column);
  }
  return list;
}

void CreateFunction(Session& session, std::string_view statement, const char* function,
                    const SyncTables& tables = {}) {
  std::string text(statement);
  Replace(text, "{function}", function);
  Replace(text, "{target}", tables.to);
  Replace(text, "{new_columns}", Joined(tables.columns, "NEW."));
  Replace(text, "{columns}", Joined(tables.columns));
  session.Exec(text);
  session.Exec(std::string("REVOKE ALL ON FUNCTION summa_host.") + function + "() FROM PUBLIC");
}

void CreateTrigger(Session& session, const std::string& name, const std::string& when,
                   const std::string& table, const std::string& each, const char* function) {
  session.Exec("CREATE TRIGGER " + name + " " + when + " ON " + table + " " + each +
               " EXECUTE FUNCTION summa_host." + function + "()");
  // Also where session_replication_role is replica: a row that is not mirrored is lost.
  session.Exec("ALTER TABLE " + table + " ENABLE ALWAYS TRIGGER " + name);
}

void Forbid(Session& session, const std::string& table, const std::string& each) {
  CreateFunction(session, migration_sql::forbid_change, kForbid);
  CreateTrigger(session, "summa_migration_no_change", "BEFORE UPDATE OR DELETE", table, each,
                kForbid);
  CreateTrigger(session, "summa_migration_no_truncate", "BEFORE TRUNCATE", table,
                "FOR EACH STATEMENT", kForbid);
}

void DropTriggers(Session& session, const std::string& table, const char* function) {
  for (const char* name :
       {"summa_migration_mirror", "summa_migration_no_change", "summa_migration_no_truncate"}) {
    session.Exec(std::string("DROP TRIGGER IF EXISTS ") + name + " ON " + table);
  }
  for (const char* name : {function, kForbid}) {
    session.Exec(std::string("DROP FUNCTION IF EXISTS summa_host.") + name + "()");
  }
}

}  // namespace

void BeginForwardSync(Session& session, const SyncTables& tables) {
  CreateFunction(session, migration_sql::mirror_insert, kForward, tables);
  CreateTrigger(session, "summa_migration_mirror", "AFTER INSERT", tables.from,
                "REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT", kForward);
  Forbid(session, tables.from, "FOR EACH STATEMENT");
}

void EndForwardSync(Session& session, const std::string& from) {
  DropTriggers(session, from, kForward);
}

void BeginReverseSync(Session& session, const SyncTables& tables) {
  CreateFunction(session, migration_sql::mirror_row, kReverse, tables);
  CreateTrigger(session, "summa_migration_mirror", "AFTER INSERT", tables.from, "FOR EACH ROW",
                kReverse);
  Forbid(session, tables.from, "FOR EACH ROW");
}

void EndReverseSync(Session& session, const std::string& from) {
  DropTriggers(session, from, kReverse);
}

}  // namespace summa::maintenance
