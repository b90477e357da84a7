#include "host/database/layout.hpp"

#include <array>
#include <map>
#include <set>

#include "host/config/text.hpp"
#include "summa/ledger/event_table.hpp"

namespace summa::host {
namespace {

constexpr std::array<const char*, 3> kRequiredTables = {"ledger_event", "outbox", "worker_lease"};

// Columns of every required table that is there; views and partitioned tables count as tables.
std::map<std::string, std::set<std::string>> ReadColumns(ControlTransaction& transaction,
                                                         const std::string& schema) {
  const ControlRows rows = transaction.Exec(
      "SELECT c.relname, a.attname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON "
      "n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND "
      "a.attnum > 0 AND NOT a.attisdropped WHERE n.nspname = $1 AND c.relname IN "
      "('ledger_event', 'outbox', 'worker_lease') AND c.relkind IN ('r', 'p', 'v', 'f')",
      {schema});
  std::map<std::string, std::set<std::string>> tables;
  for (const auto& row : rows) tables[row.at(0).value()].insert(row.at(1).value_or(""));
  return tables;
}

}  // namespace

Layout FindLayout(ControlTransaction& transaction, const std::string& schema) {
  auto tables = ReadColumns(transaction, schema);
  std::vector<std::string> absent;
  for (const char* name : kRequiredTables) {
    if (tables.count(name) == 0) absent.emplace_back(schema + "." + name);
  }
  if (!absent.empty()) {
    throw SqlFailure(Error{"SH-0414", "the ledger's tables are missing: " + Join(absent),
                           "Check database.ledger.url and database.ledger.schema: they must name "
                           "the database that Summa's own migrations have set up",
                           ""},
                     "");
  }
  const std::set<std::string>& columns = tables["ledger_event"];
  std::string missing;
  if (const auto layout = ledger::LayoutOf(columns, &missing)) {
    return *layout == ledger::Layout::kPlan ? Layout::kPlan : Layout::kDeployed;
  }
  const bool only_position = columns.count("event_hash") > 0;
  throw SqlFailure(
      Error{"SH-0415",
            "table " + schema + ".ledger_event has neither of the known layouts: " + missing,
            only_position ? "Add the global position: ALTER TABLE " + schema +
                                ".ledger_event ADD COLUMN position bigserial UNIQUE;"
                          : "Check that database.ledger.schema names the schema of the ledger",
            ""},
      "");
}

}  // namespace summa::host
