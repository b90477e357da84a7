#include <summa/ledger/event_table.hpp>

namespace summa::ledger {
namespace {

// Adds "LAYOUT lacks a, b" to `missing`; true when nothing is missing.
bool Has(const std::set<std::string>& columns, const char* layout,
         std::initializer_list<const char*> needed, std::string* missing) {
  std::string absent;
  for (const char* name : needed) {
    if (columns.count(name) > 0) continue;
    absent.append(absent.empty() ? "" : ", ").append(name);
  }
  if (!absent.empty() && missing != nullptr) {
    missing->append(missing->empty() ? "" : "; ").append(layout).append(" lacks ").append(absent);
  }
  return absent.empty();
}

// Quoting is the server's: names come from its catalog.
constexpr const char* kFind =
    "SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relkind = 'p' AS partitioned, "
    "a.attname "
    "FROM "
    "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN "
    "pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "WHERE c.oid = to_regclass('ledger_event')";

}  // namespace

std::optional<Layout> LayoutOf(const std::set<std::string>& columns, std::string* missing) {
  if (missing != nullptr) missing->clear();
  if (Has(columns, "deployed", {"aggregate_version", "hash"}, missing)) return Layout::kDeployed;
  if (Has(columns, "plan", {"event_hash", "position"}, missing)) return Layout::kPlan;
  return std::nullopt;
}

EventTable DescribeEvents(Layout layout, std::string name) {
  EventTable table;
  table.layout = layout;
  table.name = std::move(name);
  if (layout == Layout::kPlan) {
    table.position = "position";
    table.version = "sequence_number";
    table.hash = "event_hash";
    table.previous_hash = "previous_hash";
  }
  return table;
}

EventTable FindEvents(Session& session) {
  const Result found = session.Exec(kFind);
  if (found.rows() == 0) {
    throw Error(SUMMA_E_CONFIG, "SH-0414", "there is no table ledger_event on the search path",
                "Check database.ledger.url and database.ledger.schema");
  }
  std::set<std::string> columns;
  for (const Row row : found) columns.insert(row.Get<std::string>("attname"));
  std::string missing;
  const auto layout = LayoutOf(columns, &missing);
  if (!layout) {
    throw Error(SUMMA_E_CONFIG, "SH-0415",
                "ledger_event has neither of the known layouts: " + missing,
                "Run `summa-host doctor`: it names what to add");
  }
  EventTable table = DescribeEvents(*layout, found[0].Get<std::string>("name"));
  table.partitioned = found[0].Get<bool>("partitioned");
  return table;
}

}  // namespace summa::ledger
