#include "host/database/create_ledger.hpp"

#include "host/database/connection_settings.hpp"
#include "host_ledger.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMaxNamed = 5;

// Tables, views and sequences that neither the server nor an extension nor we have made.
constexpr const char* kForeign =
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN "
    "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', "
    "'f', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'summa_host', "
    "'summa_read') AND n.nspname NOT LIKE 'pg!_toast%' ESCAPE '!' AND n.nspname NOT LIKE "
    "'pg!_temp%' ESCAPE '!' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = "
    "'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1";

}  // namespace

void CreatePlanLedger(ControlTransaction& transaction, const std::string& schema) {
  const ControlRows foreign = transaction.Exec(kForeign, {});
  if (!foreign.empty()) {
    std::string names;
    for (std::size_t i = 0; i < foreign.size() && i < kMaxNamed; ++i) {
      names.append(i == 0 ? "" : ", ").append(foreign[i].at(0).value_or(""));
    }
    if (foreign.size() > kMaxNamed) names += ", ...";
    throw SqlFailure(Error{"SH-0422", "the database is not empty: " + names,
                           "Create the ledger in a new database: CREATE DATABASE NAME, then name "
                           "it in database.ledger.url",
                           ""},
                     "");
  }
  transaction.ExecScript("CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(schema));
  transaction.ExecScript(std::string(embedded::ledger_plan));
}

}  // namespace summa::host
