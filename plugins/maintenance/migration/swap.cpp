#include "migration/swap.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <summa/crash_point.hpp>
#include <utility>
#include <vector>

#include "guard/guard.hpp"
#include "migration/shadow.hpp"
#include "migration/sync.hpp"
#include "partition/catalog.hpp"
#include "partition/leaf.hpp"
#include "partition/names.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kKeyTable = "summa_host.ledger_event_key";
constexpr const char* kBound = "summa_migration_bound";

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

struct Reference {
  std::string table, constraint, columns;  // quoted; columns: "(event_id)"
};

// Foreign keys to a table, of tables that are not partitions.
std::vector<Reference> ReferencesTo(Session& session, const std::string& table) {
  std::vector<Reference> references;
  const Result rows = session.Exec(
      "SELECT format('%I.%I', n.nspname, c.relname) AS name, quote_ident(k.conname) AS constraint, "
      "(SELECT '(' || string_agg(quote_ident(a.attname), ', ' ORDER BY u.n) || ')' FROM "
      "unnest(k.conkey) WITH ORDINALITY u (number, n) JOIN pg_attribute a ON a.attrelid = c.oid "
      "AND a.attnum = u.number) AS columns FROM pg_constraint k JOIN pg_class c ON c.oid = "
      "k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'f' AND "
      "k.conparentid = 0 AND k.confrelid = $1::regclass ORDER BY 1, 2",
      {table});
  for (const Row row : rows) {
    references.push_back({row.Get<std::string>("name"), row.Get<std::string>("constraint"),
                          row.Get<std::string>("columns")});
  }
  return references;
}

using Statements = std::vector<std::string>;

void Append(Statements& statements, Statements more) {
  std::move(more.begin(), more.end(), std::back_inserter(statements));
}

// NOT VALID: the rows that are there are checked later, without the lock.
Statements MoveReferences(const std::vector<Reference>& references, const std::string& target) {
  Statements statements;
  for (const Reference& reference : references) {
    const std::string alter = "ALTER TABLE " + reference.table;
    statements.push_back(alter + " DROP CONSTRAINT " + reference.constraint);
    statements.push_back(alter + " ADD CONSTRAINT " + reference.constraint + " FOREIGN KEY " +
                         reference.columns + " REFERENCES " + target + " (id) NOT VALID");
  }
  return statements;
}

// What hangs on the table whose inventory this is, and was read before the renames: from now on it
// hangs on `target`, which has the name of the application.
Statements MoveDependents(const Inventory& inventory, const std::string& source,
                          const std::string& target) {
  Statements statements;
  for (const InventoryItem& sequence : inventory.OfKind("sequence")) {
    statements.push_back("ALTER SEQUENCE " + sequence.name + " OWNED BY " + target + "." +
                         QuoteName(sequence.definition));
  }
  for (const InventoryItem& view : inventory.OfKind("view")) {
    statements.push_back("CREATE OR REPLACE VIEW " + view.name + " " + view.definition);
  }
  for (const InventoryItem& publication : inventory.OfKind("publication")) {
    const std::string alter = "ALTER PUBLICATION " + QuoteName(publication.name);
    statements.push_back(alter + " ADD TABLE " + target);
    statements.push_back(alter + " DROP TABLE " + source);
  }
  return statements;
}

std::string Rename(const std::string& what, const std::string& schema, const std::string& from,
                   const std::string& to) {
  return "ALTER " + what + " " + QuoteName(schema, from) + " RENAME TO " + QuoteName(to);
}

// The fingerprint keeps them as they are until the exchange.
void RememberIndexNames(Session& session, const MigrationRecord& record) {
  session.Exec(
      "UPDATE summa_host.migration m SET index_names = (SELECT jsonb_object_agg(x.indexrelid::"
      "bigint::text, i.relname) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE "
      "x.indrelid = m.old_table) WHERE operation = $1",
      {record.operation});
}

std::string NewName(const MigrationRecord& record) {
  return QuoteName(record.schema, PartitionName(record.table, "new"));
}

Statements RenamesToNew(const MigrationRecord& record, const Inventory& flat) {
  Statements statements = {
      Rename("TABLE", record.schema, record.table, PartitionName(record.table, "old"))};
  for (const char* kind : {"unique index", "index"}) {
    for (const InventoryItem& index : flat.OfKind(kind)) {
      statements.push_back(Rename("INDEX", record.schema, index.name, OldIndexName(index.name)));
    }
  }
  statements.push_back(
      Rename("TABLE", record.schema, PartitionName(record.table, "new"), record.table));
  for (const InventoryItem& index : flat.OfKind("index")) {
    statements.push_back(Rename("INDEX", record.schema, ShadowIndexName(index.name), index.name));
  }
  return statements;
}

Statements RenamesToOld(Session& session, const MigrationRecord& record) {
  Statements statements = {
      Rename("TABLE", record.schema, record.table, PartitionName(record.table, "new"))};
  const Result names = session.Exec(
      "SELECT e.value AS name, i.relname AS now, x.indisunique FROM summa_host.migration m, "
      "jsonb_each_text(m.index_names) e JOIN pg_class i ON i.oid = e.key::bigint::oid JOIN "
      "pg_index x ON x.indexrelid = i.oid WHERE m.operation = $1",
      {record.operation});
  for (const Row row : names) {
    const auto name = row.Get<std::string>("name");
    if (!row.Get<bool>("indisunique")) {
      statements.push_back(Rename("INDEX", record.schema, name, ShadowIndexName(name)));
    }
    statements.push_back(Rename("INDEX", record.schema, row.Get<std::string>("now"), name));
  }
  statements.push_back(
      Rename("TABLE", record.schema, PartitionName(record.table, "old"), record.table));
  return statements;
}

Tail TailOfFlat(Session& session, const ComparedTables& tables, std::int64_t after,
                std::int64_t most) {
  const Result tail = session.Exec(
      "SELECT count(*) AS rows, coalesce(max(tail.position), $1) AS highest FROM (SELECT " +
          tables.position + " AS position FROM " + tables.flat + " WHERE " + tables.position +
          " > $1 ORDER BY 1 LIMIT $2) tail",
      {after, most});
  return {tail[0].Get<std::int64_t>("rows"), tail[0].Get<std::int64_t>("highest"), true};
}

// What came after the last sealed position must be in both tables, where there are two.
Tail RequireEqualTail(Session& session, const MigrationRecord& record,
                      const ComparedTables& tables) {
  const Tail tail = record.bound
                        ? TailOfFlat(session, tables, record.sealed, kMostTailRows + 1)
                        : CompareTail(session, tables, record.sealed, kMostTailRows + 1);
  if (tail.rows > kMostTailRows) {
    throw Error(SUMMA_E_TRY_LATER, "SH-0825",
                "more than " + std::to_string(kMostTailRows) +
                    " events have come since the last sealed position",
                "Nothing is needed: they are sealed, and it is tried again");
  }
  if (!tail.equal) {
    throw Error(SUMMA_E_DATA, "SH-0824",
                "the tables differ after position " + std::to_string(record.sealed),
                "Abort the operation, find who writes to one of the tables alone, and start again");
  }
  return tail;
}

// The first statement that names all partitions reads their catalog: not under the lock.
void WarmUp(Session& session, const MigrationRecord& record, const ComparedTables& tables) {
  if (!record.bound) CompareTail(session, tables, record.sealed, 1);
}

void RequireUnchanged(const MigrationRecord& record, const Inventory& flat) {
  if (flat.fingerprint == record.fingerprint) return;
  throw Error(SUMMA_E_DATA, "SH-0823",
              record.table +
                  " was changed since the migration was planned: a column, an index, a "
                  "constraint, a grant, a trigger, or what depends on it",
              "Abort the operation and start again, or take the change back");
}

// In the order of the writers: an event, its mirror and the partitions, then what references it.
std::vector<LockRequest> LocksOf(Session& session, const ComparedTables& tables, bool flat_first,
                                 const std::vector<Reference>& references) {
  std::vector<std::string> names = {tables.flat, tables.partitioned};
  if (!flat_first) std::swap(names[0], names[1]);
  for (const Partition& leaf : ReadTable(session, tables.partitioned).partitions) {
    if (leaf.quoted != tables.flat) names.push_back(leaf.quoted);
  }
  for (const Reference& reference : references) {
    if (names.back() != reference.table) names.push_back(reference.table);
  }
  if (!references.empty()) names.emplace_back(kKeyTable);
  std::vector<LockRequest> locks;
  for (std::string& name : names) locks.push_back({std::move(name), LockMode::kAccessExclusive});
  return locks;
}

void ExchangeTables(Session& session, const MigrationRecord& record, const Exchange& exchange) {
  RequireRunning(session, record.operation);
  RequireStamp(session, record.old_table, exchange.stamp);
  const Tail tail = RequireEqualTail(session, record, exchange.tables);
  if (tail.rows > 0) FillGuard(session, exchange.events, record.guard, tail.highest);
  RunTogether(session, exchange.statements);
  session.Exec(
      "UPDATE summa_host.migration SET swap_position = $2, sealed_position = $2, guard_position = "
      "$2, request = NULL WHERE operation = $1",
      {record.operation, tail.highest});
  ChangeState(session, record.operation, "ready", "swapped");
  if (record.bound) {
    CrashPoint("migration.attach");
  } else {
    CrashPoint("migration.swap");
  }
}

void ExchangeBack(Session& session, const MigrationRecord& record, const Exchange& exchange) {
  RequireStamp(session, record.new_table, exchange.stamp);
  if (record.bound) {
    RequireUnused(session, record);
  } else {
    RequireEqualTail(session, record, exchange.tables);
  }
  RunTogether(session, exchange.statements);
  ChangeState(session, record.operation, "swapped", "restored");
  if (record.bound) {
    CrashPoint("migration.detach");
  } else {
    CrashPoint("migration.swap_back");
  }
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

std::string OldName(const MigrationRecord& record) {
  return QuoteName(record.schema, PartitionName(record.table, "old"));
}

// Under the lock, instead of reading the whole inventory once more.
void RequireStamp(Session& session, std::int64_t table, const std::string& stamp) {
  if (StampOf(session, table) == stamp) return;
  throw Error(SUMMA_E_TRY_LATER, "SH-0858",
              "the catalog has changed since the statements of the migration were prepared",
              "Nothing is needed: it is tried again");
}

std::vector<std::string> AttachFlat(const MigrationRecord& record) {
  std::vector<std::string> statements = StatementsOfAttach(
      record.ApplicationName(), OldName(record), DatabaseTime::min(), *record.bound);
  statements.back() = "ALTER TABLE " + OldName(record) + " DROP CONSTRAINT " + kBound;
  return statements;
}

void CheckBound(Session& session, const MigrationRecord& record) {
  const std::string alter = "ALTER TABLE " + OldName(record);
  session.Begin();
  session.Exec("SET LOCAL statement_timeout = '1h'");
  session.Exec(alter + " DROP CONSTRAINT IF EXISTS " + kBound);
  session.Exec(alter + " ADD CONSTRAINT " + kBound + " CHECK (created_at < " +
               QuoteTime(*record.bound) + ")");
  session.Commit();
}

void RequireUnused(Session& session, const MigrationRecord& record) {
  const bool used = session
                        .Exec("SELECT EXISTS (SELECT FROM " + record.ApplicationName() +
                                  " WHERE created_at >= $1::timestamptz)",
                              {IsoText(*record.bound)})
                        .Value<bool>();
  if (!used) return;
  throw Error(
      SUMMA_E_DATA, "SH-0856",
      "events have come since " + IsoText(*record.bound) + ", when the first new partition began",
      "The way back is closed; say --finalize");
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
  ledger::EventTable events = ledger::DescribeEvents(layout.value_or(ledger::Layout::kDeployed),
                                                     record.ApplicationName());
  events.partitioned = session
                           .Exec(
                               "SELECT coalesce((SELECT relkind = 'p' FROM pg_class WHERE oid = "
                               "to_regclass($1)), false)",
                               {record.ApplicationName()})
                           .Value<bool>();
  return events;
}

std::vector<Blocker> OlderSnapshots(Session& session, const std::string& backfill_xid) {
  std::vector<Blocker> blockers;
  const Result rows = session.Exec(
      "SELECT format('process %s (%s, %s) has a snapshot from before the end of the copy', pid, "
      "coalesce(nullif(application_name, ''), 'no name'), usename) AS what FROM pg_stat_activity "
      "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL "
      "AND age(backend_xmin) >= age($1::xid8::xid) AND backend_type <> 'autovacuum worker' UNION "
      "ALL SELECT format('the prepared transaction %s is older than the end of the copy', gid) "
      "FROM pg_prepared_xacts WHERE database = current_database() AND age(transaction) >= "
      "age($1::xid8::xid)",
      {backfill_xid});
  for (const Row row : rows) blockers.push_back({row.Get<std::string>("what"), ""});
  return blockers;
}

void PrepareShadow(Session& session, const MigrationRecord& record) {
  const ComparedTables tables = TablesOf(session, record);
  ledger::EventTable events = EventsOf(session, record);
  events.name = tables.flat;
  const GuardNames names = NamesOfFlatTable(session, events);
  events.name = tables.partitioned;
  CreateGuardFunction(session, events, names);
  PrepareGuard(session, events);
  CreateSyncFunctions(session,
                      {tables.flat, tables.partitioned, OldName(record), tables.columns});
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

DdlOutcome BeginBound(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  const std::string stamp = StampOf(session, record.old_table);
  RequireUnchanged(record, ReadInventory(session, record.old_table));
  const ComparedTables tables = TablesOf(session, record);
  // Heads and keys of the guard are filled from the rows as they are now.
  Statements statements = RefuseChanges(tables.flat);
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
  session.Exec("SET LOCAL statement_timeout = '1h'");
  session.Exec("ALTER TABLE " + NameOfTable(session, record.old_table).quoted() +
               " VALIDATE CONSTRAINT " + kBound);
  CrashPoint("migration.validate_bound");
  session.Commit();
  return true;
}

Exchange PrepareSwap(Session& session, const MigrationRecord& record) {
  Exchange exchange;
  exchange.stamp = StampOf(session, record.old_table);
  const Inventory flat = ReadInventory(session, record.old_table);
  RequireUnchanged(record, flat);
  exchange.tables = TablesOf(session, record);
  exchange.events = EventsOf(session, record);
  exchange.events.name = exchange.tables.flat;
  WarmUp(session, record, exchange.tables);
  const std::vector<Reference> references = ReferencesTo(session, exchange.tables.flat);
  exchange.locks = LocksOf(session, exchange.tables, true, references);

  exchange.statements = record.bound ? LeaveAlone(exchange.tables.flat)
                                     : TurnSync(exchange.tables.flat, exchange.tables.partitioned);
  Append(exchange.statements, MoveReferences(references, kKeyTable));
  Append(exchange.statements, RenamesToNew(record, flat));
  if (record.bound) Append(exchange.statements, AttachFlat(record));
  exchange.statements.push_back(EnableGuard(record.ApplicationName()));
  Append(exchange.statements, MoveDependents(flat, OldName(record), record.ApplicationName()));
  return exchange;
}

DdlOutcome SwapTables(Session& session, const WorkCaller& caller, const MigrationRecord& record,
                      const Exchange& exchange) {
  return RunDdl(session, caller, exchange.locks, ExchangeLimits(),
                [&](Session& locked) { ExchangeTables(locked, record, exchange); });
}

Exchange PrepareSwapBack(Session& session, const MigrationRecord& record) {
  Exchange exchange;
  exchange.stamp = StampOf(session, record.new_table);
  const Inventory partitioned = ReadInventory(session, record.new_table);
  exchange.tables = TablesOf(session, record);
  exchange.events = EventsOf(session, record);
  WarmUp(session, record, exchange.tables);
  const std::vector<Reference> references = ReferencesTo(session, kKeyTable);
  exchange.locks = LocksOf(session, exchange.tables, false, references);

  // Guard and mirror stay on the partitioned table, which nobody writes to until it is dropped.
  if (record.bound) {
    RequireUnused(session, record);
    exchange.statements = {"ALTER TABLE " + record.ApplicationName() + " DETACH PARTITION " +
                           OldName(record)};
  } else {
    exchange.statements = LeaveAlone(exchange.tables.flat);
  }
  Append(exchange.statements, RenamesToOld(session, record));
  Append(exchange.statements, MoveReferences(references, record.ApplicationName()));
  Append(exchange.statements,
         MoveDependents(partitioned, NewName(record), record.ApplicationName()));
  return exchange;
}

DdlOutcome SwapBack(Session& session, const WorkCaller& caller, const MigrationRecord& record,
                    const Exchange& exchange) {
  return RunDdl(session, caller, exchange.locks, ExchangeLimits(),
                [&](Session& locked) { ExchangeBack(locked, record, exchange); });
}

bool ValidateReferences(const summa_sql_v1* sql, const MigrationRecord& record) {
  Session session(sql);
  const Result open = session.Exec(
      "SELECT format('%I.%I', n.nspname, c.relname) AS name, quote_ident(k.conname) AS constraint "
      "FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = "
      "c.relnamespace WHERE k.contype = 'f' AND NOT k.convalidated AND k.confrelid IN "
      "($1::regclass, $2::regclass)",
      {kKeyTable, record.ApplicationName()});
  for (const Row row : open) {
    session.Begin();
    session.Exec("SET LOCAL statement_timeout = '1h'");
    session.Exec("ALTER TABLE " + row.Get<std::string>("name") + " VALIDATE CONSTRAINT " +
                 row.Get<std::string>("constraint"));
    CrashPoint("migration.validate");
    session.Commit();
  }
  return open.rows() > 0;
}

DdlOutcome Finalize(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  std::vector<LockRequest> locks;
  Statements statements;
  // Attached, the flat table is a partition like the others, and stays.
  if (!record.bound) {
    const ComparedTables tables = TablesOf(session, record);
    locks = LocksOf(session, tables, false, {});
    statements = LeaveAlone(tables.partitioned);
    statements.push_back("DROP TABLE " + tables.flat);
  }
  return RunDdl(session, caller, locks, Limits(), [&](Session& locked) {
    RunTogether(locked, statements);
    DropSyncFunctions(locked);
    ChangeState(locked, record.operation, "swapped", "finalized");
    CrashPoint("migration.finalize");
  });
}

DdlOutcome EndSync(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  const std::string flat = NameOfTable(session, record.old_table).quoted();
  Statements statements = LeaveAlone(flat);
  statements.push_back("ALTER TABLE " + flat + " DROP CONSTRAINT IF EXISTS " + kBound);
  return RunDdl(session, caller, {{flat, LockMode::kAccessExclusive}}, Limits(),
                [&](Session& locked) {
                  RunTogether(locked, statements);
                  // Nothing but its end is left for a migration without its mirror.
                  locked.Exec(
                      "UPDATE summa_host.migration SET request = 'abort' WHERE operation = $1",
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
  session.Exec("TRUNCATE summa_host.ledger_event_head, summa_host.ledger_event_key");
}

}  // namespace summa::maintenance
