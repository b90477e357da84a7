#include "migration/indexes.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <summa/parallel.hpp>
#include <utility>
#include <vector>

#include "migration/shadow.hpp"
#include "partition/names.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// After so long no further index is begun, so that the journal, and who waits for the end of the
// step, hear of it.
constexpr std::chrono::seconds kLongestRound{1};

// By this SQLSTATE the step is tried again after a pause, as when a lock was not had in time.
constexpr const char* kLockNotAvailable = "55P03";

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

// The server goes on with the last statement of a host that has died, and may take hours for it.
void RequireNobodyBuilds(Session& session, const std::string& schema, const std::string& index) {
  const Result builders = session.Exec(
      "SELECT pid FROM pg_stat_progress_create_index WHERE datname = current_database() AND "
      "index_relid = to_regclass($1::text)::oid",
      {QuoteName(schema, index)});
  if (builders.rows() == 0) return;
  throw Error(SUMMA_E_TRY_LATER, "SH-0851",
              "process " + std::to_string(builders[0].Get<std::int32_t>("pid")) +
                  " builds the index " + index + " for a host that is gone",
              "Nothing is needed: when it is done, the migration goes on", kLockNotAvailable);
}

// Whatever another host, which has lost its lease meanwhile, has made or dropped.
void CreateIndex(Session& session, const Partition& leaf, const IndexOfFlat& index) {
  const std::string name = LeafIndexName(leaf.name, index);
  session.ExecAutocommit(std::string(index.unique ? "CREATE UNIQUE" : "CREATE") +
                         " INDEX CONCURRENTLY IF NOT EXISTS " + QuoteName(name) + " ON " +
                         leaf.quoted + " " + index.Body());
  const bool made =
      session
          .Exec(
              "SELECT EXISTS (SELECT FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
              "WHERE x.indrelid = $1::bigint::oid AND i.relname = $2)",
              {leaf.oid, name})
          .Value<bool>();
  if (!made) ThrowNameTaken(leaf.schema, name);
}

// An earlier try has left it.
void DropInvalid(Session& session, const Partition& leaf, const IndexOfFlat& index) {
  const std::string name = LeafIndexName(leaf.name, index);
  RequireNobodyBuilds(session, leaf.schema, name);
  session.ExecAutocommit("DROP INDEX CONCURRENTLY IF EXISTS " + QuoteName(leaf.schema, name));
}

struct MissingIndex {
  IndexOfFlat index;
  bool is_invalid = false;  // there is one, which cannot be used
};
struct LeafIndexes {
  Partition leaf;
  std::vector<MissingIndex> missing;
};

// The partitions that lack any.
std::vector<LeafIndexes> MissingIndexes(const summa_sql_v1* sql, const Inventory& flat,
                                        std::int64_t shadow) {
  Session session(sql);
  const PartitionedTable table = ReadTable(session, NameOfTable(session, shadow).quoted());
  const Result present = session.Exec(
      "SELECT i.relname, x.indisvalid FROM pg_inherits h JOIN pg_index x ON x.indrelid = "
      "h.inhrelid JOIN pg_class i ON i.oid = x.indexrelid WHERE h.inhparent = $1::bigint::oid",
      {shadow});
  std::set<std::string> valid, invalid;
  for (const Row row : present) {
    (row.Get<bool>("indisvalid") ? valid : invalid).insert(row.Get<std::string>("relname"));
  }
  const std::vector<IndexOfFlat> indexes = IndexesOf(flat);
  std::vector<LeafIndexes> leaves;
  for (const Partition& leaf : table.partitions) {
    LeafIndexes found{leaf, {}};
    for (const IndexOfFlat& index : indexes) {
      const std::string name = LeafIndexName(leaf.name, index);
      if (!valid.contains(name)) found.missing.push_back({index, invalid.contains(name)});
    }
    if (!found.missing.empty()) leaves.push_back(std::move(found));
  }
  return leaves;
}

}  // namespace

std::string ShadowIndexName(const std::string& index) { return PartitionName(index, "new"); }
std::string OldIndexName(const std::string& index) { return PartitionName(index, "old"); }

int CreateMissingIndexes(const summa_sql_v1* sql, const WorkCaller& caller, const Inventory& flat,
                         std::int64_t shadow, int workers, const std::function<void()>& created) {
  const std::vector<LeafIndexes> leaves = MissingIndexes(sql, flat, shadow);
  const BootTime end = caller.now() + kLongestRound;
  std::atomic<int> count{0};
  InParallel(leaves.size(), workers, [&](std::size_t i) {
    if (caller.now() >= end) return;
    Session session(sql);
    for (const MissingIndex& missing : leaves[i].missing) {
      // What is left is for the next round. One is made in any case.
      if (count > 0 && caller.now() >= end) return;
      if (missing.is_invalid) DropInvalid(session, leaves[i].leaf, missing.index);
      CreateIndex(session, leaves[i].leaf, missing.index);
      ++count;
      created();
    }
  });
  return count;
}

void CreateParentIndexes(Session& session, const Inventory& flat, const std::string& shadow) {
  for (const IndexOfFlat& index : IndexesOf(flat)) {
    if (index.unique) continue;
    session.Exec("CREATE INDEX IF NOT EXISTS " + QuoteName(ShadowIndexName(index.name)) +
                 " ON ONLY " + shadow + " " + index.Body());
  }
}

void AttachIndexes(Session& session, const Inventory& flat, const Partition& leaf) {
  for (const IndexOfFlat& index : IndexesOf(flat)) {
    const std::string name = LeafIndexName(leaf.name, index);
    if (IsPrimaryKey(flat, index)) MakePrimaryKey(session, leaf, name);
    if (index.unique) continue;
    session.Exec("ALTER INDEX " + QuoteName(flat.schema, ShadowIndexName(index.name)) +
                 " ATTACH PARTITION " + QuoteName(leaf.schema, name));
  }
}

void MakePrimaryKeyOf(Session& session, const Inventory& flat, const Partition& leaf) {
  for (const IndexOfFlat& index : IndexesOf(flat)) {
    if (IsPrimaryKey(flat, index)) MakePrimaryKey(session, leaf, LeafIndexName(leaf.name, index));
  }
}

}  // namespace summa::maintenance
