// What hangs on the table that is migrated: it must all be on the new table after the swap, so what
// there is no rule for stops the migration before it begins.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace summa::maintenance {

struct InventoryItem {
  // "column", "index", "unique index", "reference" (a foreign key of another table to `id`),
  // "sequence", "view", "grant", ...; see sql/inventory.sql.
  std::string kind;
  std::string name;  // not quoted; of tables, views and sequences: quoted, with the schema
  std::string definition;
};

struct Inventory {
  std::int64_t oid = 0;
  std::string schema, name;  // not quoted
  std::vector<InventoryItem> items;
  std::string fingerprint;  // the same as long as nothing of it has changed

  std::vector<InventoryItem> OfKind(std::string_view kind) const;
  std::vector<std::string> ColumnNames() const;  // quoted
  // The quoted names of the tables that reference it, in the order in which they are locked.
  std::vector<std::string> ReferencingTables() const;
};

// Reads the catalog. SH-0821 when there is no table with this oid.
Inventory ReadInventory(Session& session, std::int64_t oid);

// Equal to an earlier one: the inventory is the same as well. For locks that others wait for.
std::string StampOf(Session& session, std::int64_t oid);

// What only one of two tables has, of which one is to be a partition of the other: "column note
// text". Empty: it can be.
std::string OtherShape(Session& session, std::int64_t one, std::int64_t other);

// What the migration has no rule for: "trigger audit: ...", one line each. Empty: it can begin.
std::vector<std::string> Obstacles(Session& session, const Inventory& inventory,
                                   const ledger::EventTable& events);

// SH-0826 with all of them.
void RequireNoObstacles(Session& session, const Inventory& inventory,
                        const ledger::EventTable& events);

struct MigrationEstimate {
  std::int64_t rows = 0, bytes_needed = 0, seconds = 0;
};
// From the statistics of the catalog.
MigrationEstimate EstimateMigration(Session& session, const Inventory& inventory);

}  // namespace summa::maintenance
