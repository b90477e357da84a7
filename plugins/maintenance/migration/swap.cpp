#include "migration/swap.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <set>
#include <summa/crash_point.hpp>
#include <vector>

#include "guard/guard.hpp"
#include "migration/shadow.hpp"
#include "migration/sync.hpp"
#include "partition/catalog.hpp"
#include "partition/leaf.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// Short, so that who stands in the way is recorded soon; the step is then repeated.
DdlLimits Limits() {
  DdlLimits limits;
  limits.deadline = std::chrono::seconds(10);
  return limits;
}

constexpr const char* kKeyTable = "summa_host.ledger_event_key";
constexpr const char* kBound = "summa_migration_bound";

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

// NOT VALID: the rows that are there are checked later, without the lock.
void MoveReferences(Session& session, const std::vector<Reference>& references,
                    const std::string& target) {
  for (const Reference& reference : references) {
    session.Exec("ALTER TABLE " + reference.table + " DROP CONSTRAINT " + reference.constraint);
    session.Exec("ALTER TABLE " + reference.table + " ADD CONSTRAINT " + reference.constraint +
                 " FOREIGN KEY " + reference.columns + " REFERENCES " + target + " (id) NOT VALID");
  }
}

// What hangs on the table whose inventory this is, and was read before the renames: from now on it
// hangs on `target`, which has the name of the application.
void MoveDependents(Session& session, const Inventory& inventory, const std::string& source,
                    const std::string& target) {
  for (const InventoryItem& sequence : inventory.OfKind("sequence")) {
    session.Exec("ALTER SEQUENCE " + sequence.name + " OWNED BY " + target + "." +
                 QuoteName(sequence.definition));
  }
  for (const InventoryItem& view : inventory.OfKind("view")) {
    session.Exec("CREATE OR REPLACE VIEW " + view.name + " " + view.definition);
  }
  for (const InventoryItem& publication : inventory.OfKind("publication")) {
    const std::string alter = "ALTER PUBLICATION " + QuoteName(publication.name);
    session.Exec(alter + " ADD TABLE " + target);
    session.Exec(alter + " DROP TABLE " + source);
  }
}

void Rename(Session& session, const char* what, const std::string& schema, const std::string& from,
            const std::string& to) {
  session.Exec(std::string("ALTER ") + what + " " + QuoteName(schema, from) + " RENAME TO " +
               QuoteName(to));
}

void RememberIndexNames(Session& session, const MigrationRecord& record) {
  session.Exec(
      "UPDATE summa_host.migration m SET index_names = (SELECT jsonb_object_agg(x.indexrelid::"
      "bigint::text, i.relname) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE "
      "x.indrelid = m.old_table) WHERE operation = $1",
      {record.operation});
}

void RenameToNew(Session& session, const MigrationRecord& record, const Inventory& flat) {
  RememberIndexNames(session, record);
  Rename(session, "TABLE", record.schema, record.table, PartitionName(record.table, "old"));
  for (const char* kind : {"unique index", "index"}) {
    for (const InventoryItem& index : flat.OfKind(kind)) {
      Rename(session, "INDEX", record.schema, index.name, OldIndexName(index.name));
    }
  }
  Rename(session, "TABLE", record.schema, PartitionName(record.table, "new"), record.table);
  for (const InventoryItem& index : flat.OfKind("index")) {
    Rename(session, "INDEX", record.schema, ShadowIndexName(index.name), index.name);
  }
}

void RenameToOld(Session& session, const MigrationRecord& record) {
  Rename(session, "TABLE", record.schema, record.table, PartitionName(record.table, "new"));
  const Result names = session.Exec(
      "SELECT e.value AS name, i.relname AS now, x.indisunique FROM summa_host.migration m, "
      "jsonb_each_text(m.index_names) e JOIN pg_class i ON i.oid = e.key::bigint::oid JOIN "
      "pg_index x ON x.indexrelid = i.oid WHERE m.operation = $1",
      {record.operation});
  for (const Row row : names) {
    const auto name = row.Get<std::string>("name");
    if (!row.Get<bool>("indisunique")) {
      Rename(session, "INDEX", record.schema, name, ShadowIndexName(name));
    }
    Rename(session, "INDEX", record.schema, row.Get<std::string>("now"), name);
  }
  Rename(session, "TABLE", record.schema, PartitionName(record.table, "old"), record.table);
}

std::int64_t HighestPosition(Session& session, const ComparedTables& tables,
                             const std::string& table, std::int64_t otherwise) {
  return session
      .Exec("SELECT coalesce(max(" + tables.position + "), $1) FROM " + table, {otherwise})
      .Value<std::int64_t>();
}

void RequireShortTail(Session& session, const MigrationRecord& record,
                      const ComparedTables& tables) {
  const std::int64_t rows = session
                                .Exec("SELECT count(*) FROM (SELECT 1 FROM " + tables.flat +
                                          " WHERE " + tables.position + " > $1 LIMIT $2) tail",
                                      {record.sealed, kMostTailRows + 1})
                                .Value<std::int64_t>();
  if (rows > kMostTailRows) {
    throw Error(SUMMA_E_TRY_LATER, "SH-0825",
                "more than " + std::to_string(kMostTailRows) +
                    " events have come since the last sealed position",
                "Nothing is needed: they are sealed, and it is tried again");
  }
}

// What came after the last sealed position must be in both tables. Returns the highest position.
std::int64_t RequireEqualTail(Session& session, const MigrationRecord& record,
                              const ComparedTables& tables) {
  const std::int64_t highest =
      std::max(HighestPosition(session, tables, tables.flat, record.sealed),
               HighestPosition(session, tables, tables.partitioned, record.sealed));
  RequireShortTail(session, record, tables);
  const Comparison tail =
      Compare(session, tables, {record.sealed, highest}, VerifyLevel::kChecksum);
  if (!tail.difference.empty()) {
    throw Error(SUMMA_E_DATA, "SH-0824", "the tables differ in their tail: " + tail.difference,
                "Abort the operation, find who writes to one of the tables alone, and start again");
  }
  return highest;
}

void RequireUnchanged(const MigrationRecord& record, const Inventory& flat) {
  if (flat.fingerprint == record.fingerprint) return;
  throw Error(SUMMA_E_DATA, "SH-0823",
              record.table +
                  " was changed since the migration was planned: a column, an index, a "
                  "constraint, a grant, a trigger, or what depends on it",
              "Abort the operation and start again, or take the change back");
}

// In the order of the writers: an event, its mirror, then what references it.
std::vector<LockRequest> LocksOf(const std::string& first, const std::string& second,
                                 const std::vector<Reference>& references) {
  std::vector<LockRequest> locks = {{first, LockMode::kAccessExclusive},
                                    {second, LockMode::kAccessExclusive}};
  for (const Reference& reference : references) {
    if (locks.back().table != reference.table) {
      locks.push_back({reference.table, LockMode::kAccessExclusive});
    }
  }
  return locks;
}

// What is known before the lock is not read again under it.
struct Exchanged {
  ComparedTables tables;
  std::vector<Reference> references;
  ledger::EventTable events;  // with the name that applications use
  GuardNames names;
};

void Exchange(Session& session, const MigrationRecord& record, const Exchanged& known) {
  RequireRunning(session, record.operation);
  const Inventory flat = ReadInventory(session, record.old_table);
  RequireUnchanged(record, flat);
  const ComparedTables& tables = known.tables;
  const std::int64_t highest = RequireEqualTail(session, record, tables);
  ledger::EventTable events = known.events;
  events.name = tables.flat;
  FillGuard(session, events, record.guard, highest);
  EndForwardSync(session, tables.flat);
  MoveReferences(session, known.references, kKeyTable);
  RenameToNew(session, record, flat);
  const std::string old_name = QuoteName(record.schema, PartitionName(record.table, "old"));
  events.name = record.ApplicationName();
  events.partitioned = true;
  CreateGuardFunction(session, events, known.names);
  InstallGuard(session, events);
  BeginReverseSync(session, {events.name, old_name, tables.columns});
  MoveDependents(session, flat, old_name, events.name);
  session.Exec(
      "UPDATE summa_host.migration SET swap_position = $2, sealed_position = $2, guard_position = "
      "$2, request = NULL WHERE operation = $1",
      {record.operation, highest});
  ChangeState(session, record.operation, "ready", "swapped");
  CrashPoint("migration.swap");
}

void AddBound(Session& session, const MigrationRecord& record, const std::string& flat) {
  session.Exec("ALTER TABLE " + flat + " ADD CONSTRAINT " + kBound + " CHECK (created_at < '" +
               IsoText(*record.bound) + "'::timestamptz) NOT VALID");
}

// The flat table becomes the partition of everything before the bound.
void ExchangeByAttaching(Session& session, const MigrationRecord& record, const Exchanged& known) {
  RequireRunning(session, record.operation);
  const Inventory flat = ReadInventory(session, record.old_table);
  RequireUnchanged(record, flat);
  RequireShortTail(session, record, known.tables);
  const std::int64_t highest =
      HighestPosition(session, known.tables, known.tables.flat, record.sealed);
  ledger::EventTable events = known.events;
  events.name = known.tables.flat;
  FillGuard(session, events, record.guard, highest);
  MoveReferences(session, known.references, kKeyTable);
  RenameToNew(session, record, flat);
  const std::string old_name = QuoteName(record.schema, PartitionName(record.table, "old"));
  events.name = record.ApplicationName();
  events.partitioned = true;
  AttachLeaf(session, ReadTable(session, events.name), old_name, DatabaseTime::min(),
             *record.bound);
  session.Exec("ALTER TABLE " + old_name + " DROP CONSTRAINT " + kBound);
  CreateGuardFunction(session, events, known.names);
  InstallGuard(session, events);
  MoveDependents(session, flat, old_name, events.name);
  session.Exec(
      "UPDATE summa_host.migration SET swap_position = $2, sealed_position = $2, guard_position = "
      "$2, request = NULL WHERE operation = $1",
      {record.operation, highest});
  ChangeState(session, record.operation, "ready", "swapped");
  CrashPoint("migration.attach");
}

// Only while nothing is in the new partitions: what is there would be lost.
void DetachAgain(Session& session, const MigrationRecord& record,
                 const std::vector<Reference>& references) {
  const Inventory partitioned = ReadInventory(session, record.new_table);
  const bool used = session
                        .Exec("SELECT EXISTS (SELECT FROM " + record.ApplicationName() +
                                  " WHERE created_at >= $1::timestamptz)",
                              {IsoText(*record.bound)})
                        .Value<bool>();
  if (used) {
    throw Error(
        SUMMA_E_DATA, "SH-0856",
        "events have come since " + IsoText(*record.bound) + ", when the first new partition began",
        "The way back is closed; say --finalize");
  }
  const ledger::EventTable events = EventsOf(session, record);
  RemoveGuard(session, events);
  DetachLeaf(session, ReadTable(session, record.ApplicationName()),
             QuoteName(record.schema, PartitionName(record.table, "old")));
  RenameToOld(session, record);
  MoveReferences(session, references, record.ApplicationName());
  MoveDependents(session, partitioned, QuoteName(record.schema, PartitionName(record.table, "new")),
                 record.ApplicationName());
  ChangeState(session, record.operation, "swapped", "restored");
  CrashPoint("migration.detach");
}

void ExchangeBack(Session& session, const MigrationRecord& record,
                  const std::vector<Reference>& references) {
  const Inventory partitioned = ReadInventory(session, record.new_table);
  const ComparedTables tables = TablesOf(session, record);
  RequireEqualTail(session, record, tables);
  const ledger::EventTable events = EventsOf(session, record);
  EndReverseSync(session, tables.partitioned);
  RemoveGuard(session, events);
  RenameToOld(session, record);
  MoveReferences(session, references, record.ApplicationName());
  MoveDependents(session, partitioned, QuoteName(record.schema, PartitionName(record.table, "new")),
                 record.ApplicationName());
  ChangeState(session, record.operation, "swapped", "restored");
  CrashPoint("migration.swap_back");
}

}  // namespace

ComparedTables TablesOf(Session& session, const MigrationRecord& record) {
  ComparedTables tables;
  tables.flat = NameOfTable(session, record.old_table).quoted();
  tables.partitioned = NameOfTable(session, record.new_table).quoted();
  tables.columns = ReadInventory(session, record.old_table).ColumnNames();
  tables.position = QuoteName(EventsOf(session, record).position);
  return tables;
}

ledger::EventTable EventsOf(Session& session, const MigrationRecord& record) {
  std::set<std::string> columns;
  for (const InventoryItem& column : ReadInventory(session, record.old_table).OfKind("column")) {
    columns.insert(column.name);
  }
  ledger::EventTable events = ledger::DescribeEvents(
      ledger::LayoutOf(columns).value_or(ledger::Layout::kDeployed), record.ApplicationName());
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

DdlOutcome BeginSync(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  const ComparedTables tables = TablesOf(session, record);
  return RunDdl(
      session, caller, {{tables.flat, LockMode::kShareRowExclusive}}, Limits(),
      [&](Session& locked) {
        RequireRunning(locked, record.operation);
        RequireUnchanged(record, ReadInventory(locked, record.old_table));
        BeginForwardSync(locked, {tables.flat, tables.partitioned, tables.columns});
        // Under the lock: every row is either visible here, or will be mirrored.
        locked.Exec(
            "UPDATE summa_host.migration SET (base_position, through_position) = (SELECT "
            "coalesce(min(" +
                tables.position + ") - 1, 0), coalesce(max(" + tables.position + "), 0) FROM " +
                tables.flat + ") WHERE operation = $1",
            {record.operation});
        locked.Exec(
            "UPDATE summa_host.migration SET sealed_position = through_position, guard_position = "
            "base_position WHERE operation = $1",
            {record.operation});
        ChangeState(locked, record.operation, "syncing", "backfilling");
        CrashPoint("migration.sync");
      });
}

DdlOutcome BeginBound(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  const ComparedTables tables = TablesOf(session, record);
  return RunDdl(
      session, caller, {{tables.flat, LockMode::kAccessExclusive}}, Limits(), [&](Session& locked) {
        RequireRunning(locked, record.operation);
        RequireUnchanged(record, ReadInventory(locked, record.old_table));
        AddBound(locked, record, tables.flat);
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

DdlOutcome SwapTables(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  Exchanged known;
  known.tables = TablesOf(session, record);
  known.references = ReferencesTo(session, known.tables.flat);
  known.events = EventsOf(session, record);
  ledger::EventTable flat = known.events;
  flat.name = known.tables.flat;
  known.names = NamesOfFlatTable(session, flat);
  const std::vector<LockRequest> locks =
      LocksOf(known.tables.flat, known.tables.partitioned, known.references);
  return RunDdl(session, caller, locks, Limits(), [&](Session& locked) {
    if (record.bound) return ExchangeByAttaching(locked, record, known);
    Exchange(locked, record, known);
  });
}

DdlOutcome SwapBack(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  const ComparedTables tables = TablesOf(session, record);
  const std::vector<Reference> references = ReferencesTo(session, kKeyTable);
  return RunDdl(session, caller, LocksOf(tables.partitioned, tables.flat, references), Limits(),
                [&](Session& locked) {
                  if (record.bound) return DetachAgain(locked, record, references);
                  ExchangeBack(locked, record, references);
                });
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
  const ComparedTables tables = TablesOf(session, record);
  const std::vector<LockRequest> locks = LocksOf(tables.partitioned, tables.flat, {});
  return RunDdl(session, caller, locks, Limits(), [&](Session& locked) {
    // Attached, the flat table is a partition like the others, and stays.
    if (!record.bound) {
      EndReverseSync(locked, tables.partitioned);
      locked.Exec("DROP TABLE " + tables.flat);
    }
    ChangeState(locked, record.operation, "swapped", "finalized");
    CrashPoint("migration.finalize");
  });
}

DdlOutcome EndSync(Session& session, const WorkCaller& caller, const MigrationRecord& record) {
  const std::string flat = NameOfTable(session, record.old_table).quoted();
  return RunDdl(session, caller, {{flat, LockMode::kAccessExclusive}}, Limits(),
                [&](Session& locked) {
                  EndForwardSync(locked, flat);
                  locked.Exec("ALTER TABLE " + flat + " DROP CONSTRAINT IF EXISTS " + kBound);
                  CrashPoint("migration.end_sync");
                });
}

void DropShadow(Session& session, const MigrationRecord& record) {
  const bool made = session
                        .Exec("SELECT EXISTS (SELECT FROM pg_class WHERE oid = $1::bigint::oid)",
                              {record.new_table})
                        .Value<bool>();
  if (made) {
    session.Exec("DROP TABLE " + NameOfTable(session, record.new_table).quoted());
  }
  session.Exec("TRUNCATE summa_host.ledger_event_head, summa_host.ledger_event_key");
}

}  // namespace summa::maintenance
