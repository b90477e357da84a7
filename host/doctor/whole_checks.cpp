// Whether every row of the tables is to be seen: policies of row level security, views and copies
// in the place of tables, and another ledger beside an empty one.
#include "host/database/whole_tables.hpp"
#include "host/doctor/checks.hpp"

namespace summa::host {
namespace {

// Sizes, not counts: they are asked without a right on the table.
constexpr const char* kOthers = R"sql(
WITH ledger AS (
  SELECT n.nspname, n.nspname = $1 AS ours,
         pg_relation_size(c.oid) + coalesce((
           SELECT sum(pg_relation_size(p.relid)) FROM pg_partition_tree(c.oid) p WHERE p.isleaf), 0) AS size
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname = 'ledger_event' AND c.relkind IN ('r', 'p'))
SELECT string_agg(quote_ident(nspname), ', ' ORDER BY nspname) FROM ledger
WHERE NOT ours AND size > 0 AND EXISTS (SELECT FROM ledger WHERE ours AND size = 0))sql";

void CheckOthers(const CheckContext& context) {
  const std::string others = context.database.Value(kOthers, {context.schema()});
  if (others.empty()) {
    context.Ok("other-ledger", "the ledger is not empty, or there is no other ledger");
    return;
  }
  context.Warn(
      "other-ledger",
      context.schema() + ".ledger_event is empty, and there is a ledger with events in " + others,
      "the schema that Summa writes to",
      "Name that schema in database.ledger.schema, unless this ledger is new.");
}

}  // namespace

void CheckWholeTables(const CheckContext& context) {
  const std::vector<std::string> tables = TablesInUse(context);
  std::vector<summa::host::Error> found, beside;
  context.database.Run([&](ControlTransaction& transaction) {
    found = FindPartialTables(transaction.Querier(), tables, true);
    beside = FindDetachedParts(transaction.Querier(), tables);
  });
  bool filtered = false, partial = false;
  for (const summa::host::Error& error : found) {
    const bool policy = error.code == kFilteredTable;
    (policy ? filtered : partial) = true;
    context.Error(policy ? "row-security" : "whole-tables", error.code + " " + error.message,
                  policy ? "a role that sees every row" : "the table that Summa writes to",
                  error.hint);
  }
  for (const summa::host::Error& error : beside) {
    partial = true;
    context.Warn("whole-tables", error.code + " " + error.message, "every part of the ledger in it",
                 error.hint);
  }
  const std::string count = std::to_string(tables.size()) + " tables";
  if (!filtered) context.Ok("row-security", "hides no row of " + count);
  if (!partial) context.Ok("whole-tables", "no view or copy among " + count);
  CheckOthers(context);
}

}  // namespace summa::host
