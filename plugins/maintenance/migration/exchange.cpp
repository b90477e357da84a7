#include "migration/exchange.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "partition/names.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

std::vector<std::string> ColumnNamesOf(Session& session, std::int64_t table) {
  std::vector<std::string> names;
  for (const Row row : session.Exec("SELECT attname FROM pg_attribute WHERE attrelid = "
                                    "$1::bigint::oid AND attnum > 0 AND NOT attisdropped ORDER BY "
                                    "attnum",
                                    {table})) {
    names.push_back(row.Get<std::string>("attname"));
  }
  return names;
}

}  // namespace

// Short, so that who stands in the way is recorded soon; the step is then repeated.
DdlLimits Limits() {
  DdlLimits limits;
  limits.deadline = std::chrono::seconds(10);
  return limits;
}

// Not for long: between the tries the tail grows, and is to be made short again.
DdlLimits ExchangeLimits() {
  DdlLimits limits;
  limits.first_wait = std::chrono::milliseconds(100);
  limits.deadline = std::chrono::milliseconds(500);
  return limits;
}

void RequireInTime(const DdlOutcome& exchanged, const std::string& what_next) {
  if (exchanged.done || exchanged.timeouts == 0) return;
  throw Error(SUMMA_E_TRY_LATER, kTooSlow,
              "the exchange of the slices took longer than 2 seconds while writers waited, and was "
              "given up",
              what_next);
}

bool ComesAgain(const Error& error) {
  return error.code() == "SH-0825" || error.code() == "SH-0858";
}

// Under the lock, instead of reading the whole inventory once more.
void RequireStamp(Session& session, std::int64_t table, const std::string& stamp) {
  if (StampOf(session, table) == stamp) return;
  throw Error(SUMMA_E_TRY_LATER, "SH-0858",
              "the catalog has changed since the statements of the migration were prepared",
              "Nothing is needed: it is tried again");
}

void RequireUnchanged(const MigrationRecord& record, const Inventory& flat) {
  if (flat.fingerprint == record.fingerprint) return;
  throw Error(SUMMA_E_DATA, "SH-0823",
              record.table +
                  " was changed since the migration was planned: a column, an index, a "
                  "constraint, a grant, a trigger, or what depends on it",
              "Abort the operation and start again, or take the change back");
}

std::string OldName(const MigrationRecord& record) {
  return QuoteName(record.schema, PartitionName(record.table, "old"));
}

ComparedTables TablesOf(Session& session, const MigrationRecord& record) {
  ComparedTables tables;
  tables.flat = NameOfTable(session, record.old_table).quoted();
  tables.partitioned = NameOfTable(session, record.new_table).quoted();
  for (const std::string& name : ColumnNamesOf(session, record.old_table)) {
    tables.columns.push_back(QuoteName(name));
  }
  tables.position = QuoteName(EventsOf(session, record).position);
  return tables;
}

ledger::EventTable EventsOf(Session& session, const MigrationRecord& record) {
  const std::vector<std::string> columns = ColumnNamesOf(session, record.old_table);
  const std::optional<ledger::Layout> layout = ledger::LayoutOf({columns.begin(), columns.end()});
  ledger::EventTable events =
      ledger::DescribeEvents(layout.value_or(ledger::Layout::kDeployed), record.ApplicationName());
  events.partitioned = session
                           .Exec(
                               "SELECT coalesce((SELECT relkind = 'p' FROM pg_class WHERE oid = "
                               "to_regclass($1)), false)",
                               {record.ApplicationName()})
                           .Value<bool>();
  return events;
}

}  // namespace summa::maintenance
