#include "migration/swap.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <summa/crash_point.hpp>
#include <utility>
#include <vector>

#include "guard/guard.hpp"
#include "migration/bound.hpp"
#include "migration/indexes.hpp"
#include "migration/sync.hpp"
#include "migration_sql.hpp"
#include "partition/catalog.hpp"
#include "partition/names.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kKeyTable = "summa_host.ledger_event_key";

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
  const auto drop = [](const Reference& reference) {
    return "ALTER TABLE " + reference.table + " DROP CONSTRAINT " + reference.constraint;
  };
  const auto add = [&](const Reference& reference) {
    return "ALTER TABLE " + reference.table + " ADD CONSTRAINT " + reference.constraint +
           " FOREIGN KEY " + reference.columns + " REFERENCES " + target + " (id) NOT VALID";
  };
  for (const Reference& reference : references) {
    statements.push_back(drop(reference));
    statements.push_back(add(reference));
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
  const auto alter = [](const std::string& publication, const char* what,
                        const std::string& table) {
    return "ALTER PUBLICATION " + publication + what + table;
  };
  for (const InventoryItem& publication : inventory.OfKind("publication")) {
    const std::string name = QuoteName(publication.name);
    statements.push_back(alter(name, " ADD TABLE ", target));
    statements.push_back(alter(name, " DROP TABLE ", source));
  }
  return statements;
}

std::string Rename(const std::string& what, const std::string& schema, const std::string& from,
                   const std::string& to) {
  return "ALTER " + what + " " + QuoteName(schema, from) + " RENAME TO " + QuoteName(to);
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
  for (const Row row : session.Exec(migration_sql::index_names, {record.operation})) {
    const auto name = row.Get<std::string>("before");
    if (!row.Get<bool>("is_unique")) {
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
  const Tail tail = record.bound ? TailOfFlat(session, tables, record.sealed, kMostTailRows + 1)
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

// A reader of a view locks the view, then the table: whoever had the table first, and then wanted
// the view, would wait for a reader who waits for the table. To give a view to its owner locks it
// and changes nothing.
std::vector<LockRequest> LocksOfViews(Session& session, const Inventory& inventory) {
  std::vector<LockRequest> locks;
  for (const InventoryItem& view : inventory.OfKind("view")) {
    const auto statement = session
                               .Exec(
                                   "SELECT format('ALTER VIEW %s OWNER TO %I', $1::text, "
                                   "pg_get_userbyid(relowner)) FROM "
                                   "pg_class WHERE oid = $1::regclass",
                                   {view.name})
                               .Value<std::string>();
    locks.push_back({view.name, LockMode::kAccessExclusive, statement});
  }
  return locks;
}

// In the order of readers and writers: views, an event, its mirror and the partitions, then what
// references it.
std::vector<LockRequest> LocksOf(Session& session, const ComparedTables& tables, bool flat_first,
                                 const std::vector<Reference>& references,
                                 std::vector<LockRequest> locks = {}) {
  std::vector<std::string> names = {tables.flat, tables.partitioned};
  if (!flat_first) std::swap(names[0], names[1]);
  for (const Partition& leaf : ReadTable(session, tables.partitioned).partitions) {
    if (leaf.quoted != tables.flat) names.push_back(leaf.quoted);
  }
  for (const Reference& reference : references) {
    if (names.back() != reference.table) names.push_back(reference.table);
  }
  if (!references.empty()) names.emplace_back(kKeyTable);
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
      "$2 WHERE operation = $1",
      {record.operation, tail.highest});
  TakeRequest(session, record.operation, "swap");
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
  exchange.locks = LocksOf(session, exchange.tables, true, references, LocksOfViews(session, flat));

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
  exchange.locks =
      LocksOf(session, exchange.tables, false, references, LocksOfViews(session, partitioned));

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
    LiftStatementTimeout(session);
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

}  // namespace summa::maintenance
