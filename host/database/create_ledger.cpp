#include "host/database/create_ledger.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "host/database/connection_settings.hpp"
#include "host/database/migrations.hpp"
#include "host_ledger.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMaxNamed = 5;
// Whose steps make the guard that ledger/plan_guard.sql installs.
constexpr const char* kGuardPlugin = "maintenance";

// Tables, views and sequences that neither the server nor an extension nor we have made.
constexpr const char* kForeign =
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN "
    "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', "
    "'f', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'summa_host', "
    "'summa_read') AND n.nspname NOT LIKE 'pg!_toast%' ESCAPE '!' AND n.nspname NOT LIKE "
    "'pg!_temp%' ESCAPE '!' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = "
    "'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1";

[[noreturn]] void NotEmpty(const std::string& names) {
  throw SqlFailure(Error{"SH-0422", "the database is not empty: " + names,
                         "Create the ledger in a new database: CREATE DATABASE NAME, then name "
                         "it in database.ledger.url",
                         ""},
                   "");
}

// Those of a ledger that was dropped would refuse the events of the new one.
void RequireUnusedGuard(ControlTransaction& transaction) {
  const ControlRows rows = transaction.Exec(
      "SELECT EXISTS (SELECT FROM summa_host.ledger_event_head) OR EXISTS (SELECT FROM "
      "summa_host.ledger_event_key)",
      {});
  if (rows.at(0).at(0) == "t") {
    NotEmpty("summa_host.ledger_event_head and ledger_event_key have rows");
  }
}

}  // namespace

void CreatePlanLedger(ControlTransaction& transaction, const std::string& schema) {
  const ControlRows foreign = transaction.Exec(kForeign, {});
  if (!foreign.empty()) {
    std::string names;
    for (std::size_t i = 0; i < foreign.size() && i < kMaxNamed; ++i) {
      names.append(i == 0 ? "" : ", ").append(foreign[i].at(0).value_or(""));
    }
    if (foreign.size() > kMaxNamed) names += ", ...";
    NotEmpty(names);
  }
  transaction.ExecScript("CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(schema));
  transaction.ExecScript(std::string(embedded::ledger_plan));
}

void RequireGuardStep(const std::vector<SchemaStep>& steps) {
  if (std::any_of(steps.begin(), steps.end(),
                  [](const SchemaStep& step) { return step.plugin == kGuardPlugin; })) {
    return;
  }
  throw Failure(
      "SH-0437",
      "a partitioned ledger needs the plugin maintenance, which is not enabled or cannot run",
      "Add the plugin to the configuration: plugins: { maintenance: {} }");
}

std::vector<MigrationStep> CreatePartitionedPlanLedger(ControlTransaction& transaction,
                                                       const std::string& schema,
                                                       const std::vector<SchemaStep>& steps) {
  RequireGuardStep(steps);
  CreatePlanLedger(transaction, schema);
  transaction.ExecScript(std::string(embedded::ledger_plan_partitioned));
  std::vector<MigrationStep> applied;
  while (std::optional<MigrationStep> step = ApplyNextMigration(transaction, steps)) {
    applied.push_back(std::move(*step));
  }
  RequireUnusedGuard(transaction);
  transaction.ExecScript(std::string(embedded::ledger_plan_guard));
  return applied;
}

}  // namespace summa::host
