#include "migration/shadow.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "partition/catalog.hpp"
#include "partition/leaf.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kSuffix = "new";
// A chain is looked for in every partition, and each one is locked by it.
constexpr std::size_t kMostRanges = 1000;

void RequireFree(Session& session, const std::string& schema, const std::string& name) {
  const bool taken =
      session.Exec("SELECT to_regclass($1) IS NOT NULL", {QuoteName(schema, name)}).Value<bool>();
  if (!taken) return;
  throw Error(SUMMA_E_DATA, "SH-0822",
              "the migration needs the name " + name + " in schema " + schema +
                  ", and a relation has it already",
              "Look what it is; rename or drop it, and start again");
}

// What ALTER DEFAULT PRIVILEGES gives to new tables, and the flat one may not have.
void RevokeDefaults(Session& session, const std::string& shadow) {
  const Result grantees = session.Exec(
      "SELECT DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE "
      "quote_ident(pg_get_userbyid(g.grantee)) END AS grantee FROM pg_class c CROSS JOIN LATERAL "
      "aclexplode(c.relacl) g WHERE c.oid = $1::text::regclass AND g.grantee <> c.relowner",
      {shadow});
  for (const Row row : grantees) {
    session.Exec("REVOKE ALL ON " + shadow + " FROM " + row.Get<std::string>("grantee"));
  }
}

void CopyProperties(Session& session, const Inventory& flat, const std::string& shadow) {
  const Result owner = session.Exec(
      "SELECT quote_ident(pg_get_userbyid(relowner)) AS owner, relreplident::text AS identity FROM "
      "pg_class WHERE oid = $1::bigint::oid",
      {flat.oid});
  RevokeDefaults(session, shadow);
  for (const InventoryItem& grant : flat.OfKind("grant")) {
    // "INSERT (hash) TO app WITH GRANT OPTION"
    const std::size_t to = grant.definition.rfind(" TO ");
    session.Exec("GRANT " + grant.definition.substr(0, to) + " ON " + shadow +
                 grant.definition.substr(to));
  }
  for (const InventoryItem& comment : flat.OfKind("comment")) {
    if (!comment.name.empty()) continue;  // those of columns come with LIKE
    session.Exec(
        "COMMENT ON TABLE " + shadow + " IS " +
        session.Exec("SELECT quote_literal($1::text)", {comment.definition}).Value<std::string>());
  }
  const auto identity = owner[0].Get<std::string>("identity");
  if (identity == "f") session.Exec("ALTER TABLE " + shadow + " REPLICA IDENTITY FULL");
  if (identity == "n") session.Exec("ALTER TABLE " + shadow + " REPLICA IDENTITY NOTHING");
  session.Exec("ALTER TABLE " + shadow + " OWNER TO " + owner[0].Get<std::string>("owner"));
}

// What only a partition can have: options of storage, and targets of statistics, which ANALYZE of a
// partition reads there.
void CopyToLeaf(Session& session, const Inventory& flat, const std::string& leaf) {
  for (const InventoryItem& option : flat.OfKind("option")) {
    session.Exec(
        "ALTER TABLE " + leaf + " SET (" + option.name + " = " +
        session.Exec("SELECT quote_literal($1::text)", {option.definition}).Value<std::string>() +
        ")");
  }
}

void CopyStatistics(Session& session, const Inventory& flat, const std::string& table) {
  const Result targets = session.Exec(
      "SELECT attname, attstattarget::text AS target FROM pg_attribute WHERE attrelid = "
      "$1::bigint::oid AND attnum > 0 AND NOT attisdropped AND attstattarget >= 0",
      {flat.oid});
  for (const Row row : targets) {
    session.Exec("ALTER TABLE " + table + " ALTER COLUMN " +
                 QuoteName(row.Get<std::string>("attname")) + " SET STATISTICS " +
                 row.Get<std::string>("target"));
  }
}

void AddLeaf(Session& session, const Inventory& flat, const PartitionedTable& parent,
             const std::string& suffix, DatabaseTime from, DatabaseTime to) {
  const std::string name = PartitionName(flat.name, suffix);
  RequireFree(session, flat.schema, name);
  const std::string leaf = CreateLeaf(session, parent, name, from, to);
  CopyToLeaf(session, flat, leaf);
  CopyStatistics(session, flat, leaf);
  AttachLeaf(session, parent, leaf, from, to);
}

// From the first event, or the bound, to some ranges ahead.
std::vector<Range> RangesOf(Session& session, const Inventory& flat, const ShadowRequest& request) {
  if (request.bound) return RangesFrom(request.interval, *request.bound, request.ahead);
  const Result span =
      session.Exec("SELECT (SELECT min(created_at) FROM " + QuoteName(flat.schema, flat.name) +
                   " WHERE isfinite(created_at)) AS first, clock_timestamp() AS "
                   "now");
  const auto now = span[0].Get<DatabaseTime>("now");
  const auto first = span[0].Get<std::optional<DatabaseTime>>("first").value_or(now);
  const std::vector<Range> ahead = RangesFrom(request.interval, now, request.ahead);
  return RangesOver(request.interval, {std::min(first, now), ahead.back().to});
}

struct IndexOfFlat {
  std::string name, definition;  // CREATE [UNIQUE] INDEX name ON schema.table USING ..
  bool unique = false;

  // From "USING" on.
  std::string Body() const { return definition.substr(definition.find(" USING ") + 1); }
};

std::vector<IndexOfFlat> IndexesOf(const Inventory& flat) {
  std::vector<IndexOfFlat> indexes;
  for (const char* kind : {"unique index", "index"}) {
    for (const InventoryItem& item : flat.OfKind(kind)) {
      indexes.push_back({item.name, item.definition, std::string(kind) == "unique index"});
    }
  }
  return indexes;
}

std::string LeafIndexName(const std::string& leaf, const IndexOfFlat& index) {
  return PartitionName(leaf, index.name);
}

bool IsPrimaryKey(const Inventory& flat, const IndexOfFlat& index) {
  for (const InventoryItem& key : flat.OfKind("key")) {
    if (key.name == index.name) return key.definition.starts_with("PRIMARY KEY");
  }
  return false;
}

// By it a publication knows which row was changed. The table itself cannot have one.
void MakePrimaryKey(Session& session, const Partition& leaf, const std::string& index) {
  const bool made =
      session
          .Exec("SELECT indisprimary FROM pg_index WHERE indexrelid = $1::text::regclass",
                {QuoteName(leaf.schema, index)})
          .Value<bool>();
  if (made) return;
  session.Exec("ALTER TABLE " + leaf.quoted + " ADD CONSTRAINT " + QuoteName(index) +
               " PRIMARY KEY USING INDEX " + QuoteName(index));
}

}  // namespace

std::string ShadowIndexName(const std::string& index) { return PartitionName(index, "new"); }
std::string OldIndexName(const std::string& index) { return PartitionName(index, "old"); }

std::int64_t CreateShadow(Session& session, const Inventory& flat, const ShadowRequest& request) {
  const std::string name = PartitionName(flat.name, kSuffix);
  const std::string shadow = QuoteName(flat.schema, name);
  RequireFree(session, flat.schema, name);
  RequireFree(session, flat.schema, PartitionName(flat.name, "old"));
  session.Exec("CREATE TABLE " + shadow + " (LIKE " + QuoteName(flat.schema, flat.name) +
               " INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY) PARTITION BY RANGE "
               "(created_at)");
  CopyProperties(session, flat, shadow);
  CopyStatistics(session, flat, shadow);
  const std::vector<Range> ranges = RangesOf(session, flat, request);
  if (ranges.size() > kMostRanges) {
    throw Error(SUMMA_E_USAGE, "SH-0827",
                "the interval " + std::string(NameOf(request.interval)) + " makes " +
                    std::to_string(ranges.size()) + " partitions of this history; at most " +
                    std::to_string(kMostRanges) + " are allowed",
                "Choose a longer --interval");
  }
  for (const Range& range : ranges) {
    AddLeaf(session, flat, ReadTable(session, shadow), SuffixOf(request.interval, range.from),
            range.from, range.to);
  }
  AddLeaf(session, flat, ReadTable(session, shadow), "overflow_high", ranges.back().to,
          DatabaseTime::max());
  if (!request.bound) {
    AddLeaf(session, flat, ReadTable(session, shadow), "overflow_low", DatabaseTime::min(),
            ranges.front().from);
  }
  return ReadTable(session, shadow).oid;
}

std::string CreateNextIndex(Session& session, const Inventory& flat, std::int64_t shadow) {
  const PartitionedTable table = ReadTable(session, NameOfTable(session, shadow).quoted());
  const Result present = session.Exec(
      "SELECT i.relname, x.indisvalid FROM pg_inherits h JOIN pg_index x ON x.indrelid = "
      "h.inhrelid JOIN pg_class i ON i.oid = x.indexrelid WHERE h.inhparent = $1::bigint::oid",
      {shadow});
  std::set<std::string> valid, invalid;
  for (const Row row : present) {
    (row.Get<bool>("indisvalid") ? valid : invalid).insert(row.Get<std::string>("relname"));
  }
  for (const Partition& leaf : table.partitions) {
    for (const IndexOfFlat& index : IndexesOf(flat)) {
      const std::string name = LeafIndexName(leaf.name, index);
      if (valid.contains(name)) continue;
      if (invalid.contains(name)) {
        session.ExecAutocommit("DROP INDEX CONCURRENTLY " + QuoteName(leaf.schema, name));
      }
      session.ExecAutocommit(std::string(index.unique ? "CREATE UNIQUE" : "CREATE") +
                             " INDEX CONCURRENTLY " + QuoteName(name) + " ON " + leaf.quoted + " " +
                             index.Body());
      return name;
    }
  }
  return "";
}

void CreateParentIndexes(Session& session, const Inventory& flat, const std::string& shadow) {
  for (const IndexOfFlat& index : IndexesOf(flat)) {
    if (index.unique) continue;
    session.Exec("CREATE INDEX IF NOT EXISTS " + QuoteName(ShadowIndexName(index.name)) +
                 " ON ONLY " + shadow + " " + index.Body());
  }
}

void AttachIndexes(Session& session, const Inventory& flat, const std::string& shadow,
                   const std::string& partition) {
  const PartitionedTable parent = ReadTable(session, shadow);
  for (const Partition& leaf : parent.partitions) {
    if (leaf.quoted != partition) continue;
    for (const IndexOfFlat& index : IndexesOf(flat)) {
      if (IsPrimaryKey(flat, index)) MakePrimaryKey(session, leaf, LeafIndexName(leaf.name, index));
      if (index.unique) continue;
      session.Exec("ALTER INDEX " + QuoteName(flat.schema, ShadowIndexName(index.name)) +
                   " ATTACH PARTITION " + QuoteName(leaf.schema, LeafIndexName(leaf.name, index)));
    }
  }
}

}  // namespace summa::maintenance
