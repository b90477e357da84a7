#include "migration/inventory.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "migration_sql.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// Kinds that the migration recreates, moves or need not care about.
constexpr std::array<std::string_view, 14> kKnown = {
    "table",    "option",    "column",   "index", "unique index", "check",   "key",
    "not null", "reference", "sequence", "view",  "publication",  "comment", "grant"};

constexpr std::string_view kItems =
    "SELECT kind, name, definition, (SELECT md5(string_agg(concat_ws(chr(1), kind, name, "
    "definition), chr(2) ORDER BY kind, name, definition)) FROM inventory) AS fingerprint FROM "
    "inventory ORDER BY 1, 2, 3";

// Rows per second that a copy with its indexes reaches at least on common disks.
constexpr std::int64_t kSlowRowsPerSecond = 20'000;

bool HasUniqueIndexOn(Session& session, std::int64_t oid, const std::string& column) {
  return session
      .Exec(
          "SELECT EXISTS (SELECT FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid "
          "AND a.attnum = x.indkey[0] WHERE x.indrelid = $1::bigint::oid AND x.indisunique AND "
          "x.indisvalid AND x.indpred IS NULL AND x.indnkeyatts = 1 AND a.attname = $2)",
          {oid, column})
      .Value<bool>();
}

void CheckColumns(Session& session, const Inventory& inventory, const ledger::EventTable& events,
                  std::vector<std::string>& obstacles) {
  // A row without a position would not be copied, and one without a key would not be guarded.
  const std::set<std::string> needed = {
      "id", "aggregate_type", "aggregate_id", events.position, events.version, events.hash};
  for (const InventoryItem& column : inventory.OfKind("column")) {
    if (column.name == "created_at" &&
        !column.definition.starts_with("timestamp with time zone not null")) {
      obstacles.push_back("column created_at: is not timestamptz NOT NULL");
    }
    if (needed.contains(column.name) && column.definition.find(" not null ") == std::string::npos) {
      obstacles.push_back("column " + column.name + ": may be NULL");
    }
  }
  for (const std::string& column : {std::string("id"), events.position}) {
    if (!HasUniqueIndexOn(session, inventory.oid, column)) {
      obstacles.push_back("column " + column + ": has no unique index");
    }
  }
}

void CheckSequences(Session& session, const Inventory& inventory,
                    std::vector<std::string>& obstacles) {
  const Result owners = session.Exec(
      "SELECT format('%I.%I', n.nspname, s.relname) AS name FROM pg_depend d JOIN pg_class s ON "
      "s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace JOIN "
      "pg_class t ON t.oid = d.refobjid WHERE d.refobjid = $1::bigint::oid AND d.deptype = 'a' AND "
      "s.relowner <> t.relowner",
      {inventory.oid});
  for (const Row row : owners) {
    obstacles.push_back("sequence " + row.Get<std::string>("name") +
                        ": has another owner than the table");
  }
}

}  // namespace

std::vector<InventoryItem> Inventory::OfKind(std::string_view kind) const {
  std::vector<InventoryItem> found;
  std::copy_if(items.begin(), items.end(), std::back_inserter(found),
               [&](const InventoryItem& item) { return item.kind == kind; });
  return found;
}

std::vector<std::string> Inventory::ColumnNames() const {
  std::vector<std::string> names;
  for (const InventoryItem& column : OfKind("column")) names.push_back(QuoteName(column.name));
  return names;
}

std::vector<std::string> Inventory::ReferencingTables() const {
  std::set<std::string> tables;
  for (const InventoryItem& reference : OfKind("reference")) tables.insert(reference.name);
  return {tables.begin(), tables.end()};
}

Inventory ReadInventory(Session& session, std::int64_t oid) {
  Inventory inventory;
  const Result table = session.Exec(
      "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE c.oid = $1::bigint::oid",
      {oid});
  if (table.rows() == 0) {
    throw Error(SUMMA_E_DATA, "SH-0821",
                "the table with oid " + std::to_string(oid) + ", which is migrated, is gone",
                "Abort the operation; nothing of it can be used");
  }
  inventory.oid = oid;
  inventory.schema = table[0].Get<std::string>("nspname");
  inventory.name = table[0].Get<std::string>("relname");
  const Result items =
      session.Exec("WITH inventory AS MATERIALIZED (" + std::string(migration_sql::inventory) +
                       ") " + std::string(kItems),
                   {oid});
  for (const Row row : items) {
    inventory.items.push_back({row.Get<std::string>("kind"), row.Get<std::string>("name"),
                               row.Get<std::string>("definition")});
    inventory.fingerprint = row.Get<std::string>("fingerprint");
  }
  return inventory;
}

std::string StampOf(Session& session, std::int64_t oid) {
  return session.Exec(migration_sql::stamp, {oid}).Value<std::string>();
}

std::string OtherShape(Session& session, std::int64_t one, std::int64_t other) {
  return session.Exec(migration_sql::other_shape, {one, other})
      .Value<std::optional<std::string>>()
      .value_or("");
}

std::vector<std::string> Obstacles(Session& session, const Inventory& inventory,
                                   const ledger::EventTable& events) {
  std::vector<std::string> obstacles;
  for (const InventoryItem& item : inventory.items) {
    if (std::find(kKnown.begin(), kKnown.end(), item.kind) != kKnown.end()) continue;
    obstacles.push_back(item.kind + " " + item.name +
                        (item.definition.empty() ? "" : ": " + item.definition));
  }
  CheckColumns(session, inventory, events, obstacles);
  CheckSequences(session, inventory, obstacles);
  return obstacles;
}

void RequireNoObstacles(Session& session, const Inventory& inventory,
                        const ledger::EventTable& events) {
  std::string text;
  for (const std::string& obstacle : Obstacles(session, inventory, events)) {
    text.append(text.empty() ? "" : "; ").append(obstacle);
  }
  if (text.empty()) return;
  throw Error(SUMMA_E_DATA, "SH-0826",
              "the migration has no rule for what ledger_event has: " + text,
              "Remove it for the time of the migration and make it again on the new table");
}

MigrationEstimate EstimateMigration(Session& session, const Inventory& inventory) {
  const Result size = session.Exec(
      "SELECT greatest(reltuples, 0)::bigint AS rows, pg_total_relation_size(oid) AS bytes FROM "
      "pg_class WHERE oid = $1::bigint::oid",
      {inventory.oid});
  MigrationEstimate estimate;
  estimate.rows = size[0].Get<std::int64_t>("rows");
  // The copy with its indexes, about as much WAL, and the sort of one index.
  estimate.bytes_needed = size[0].Get<std::int64_t>("bytes") * 5 / 2;
  estimate.seconds = estimate.rows / kSlowRowsPerSecond + 1;
  return estimate;
}

}  // namespace summa::maintenance
