#include "partition/leaf.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

#include "partition/statement.hpp"
#include "partition_sql.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kBounds = "summa_partition_bounds";

std::string BoundsCheck(const std::string& key, DatabaseTime from, DatabaseTime to) {
  std::string check = key + " IS NOT NULL";
  if (from != DatabaseTime::min()) {
    check += " AND " + key + " >= " + QuoteTime(from);
  }
  if (to != DatabaseTime::max()) check += " AND " + key + " < " + QuoteTime(to);
  return check;
}

// The newest first, and those that take what has no range last.
std::vector<const Partition*> Models(const PartitionedTable& parent) {
  std::vector<const Partition*> models;
  for (const Partition& partition : parent.partitions) {
    if (!partition.detach_pending) models.push_back(&partition);
  }
  std::stable_sort(models.begin(), models.end(), [](const Partition* a, const Partition* b) {
    if (a->overflow() != b->overflow()) return b->overflow();
    return a->from > b->from;
  });
  return models;
}

void RunEach(Session& session, const Result& statements) {
  for (const Row row : statements) session.Exec(row.Get<std::string>("statement"));
}

// " USING method TABLESPACE space" of a table; a partitioned one has no method before PostgreSQL 17.
std::string StorageOf(Session& session, std::int64_t oid) {
  const Result found = session.Exec(partition_sql::leaf_storage, {oid});
  return found.rows() == 0 ? "" : found[0].Get<std::string>("storage");
}

}  // namespace

std::string CreateLeaf(Session& session, const PartitionedTable& parent, const std::string& name,
                       DatabaseTime from, DatabaseTime to) {
  const std::vector<const Partition*> models = Models(parent);
  const std::int64_t model = models.empty() ? parent.oid : models.front()->oid;
  const std::string leaf =
      session
          .Exec("SELECT pg_catalog.format('%I.%I', $1::text, $2::text) AS quoted",
                {Parameter(parent.schema), Parameter(name)})
          .Value<std::string>();
  // IDENTITY would give the table a sequence of its own.
  session.Exec("CREATE TABLE " + leaf + " (LIKE " + parent.quoted +
               " INCLUDING ALL EXCLUDING IDENTITY, CONSTRAINT " + kBounds + " CHECK (" +
               BoundsCheck(QuoteName(parent.key), from, to) + "))" + StorageOf(session, model));

  std::vector<std::int64_t> oids;
  for (const Partition* partition : models) oids.push_back(partition->oid);
  RunEach(session, session.Exec(partition_sql::leaf_indexes, {IntegerArray(oids), leaf}));
  RunEach(session, session.Exec(partition_sql::leaf_foreign_keys, {parent.oid, leaf}));
  const Result oid = session.Exec("SELECT $1::text::regclass::oid::bigint AS oid", {leaf});
  RunEach(session, session.Exec(partition_sql::leaf_properties,
                                {parent.oid, model, oid.Value<std::int64_t>()}));
  return leaf;
}

void CheckBounds(Session& session, const PartitionedTable& parent, const std::string& quoted_leaf,
                 DatabaseTime from, DatabaseTime to) {
  session.Exec("ALTER TABLE " + quoted_leaf + " DROP CONSTRAINT IF EXISTS " + kBounds +
               ", ADD CONSTRAINT " + kBounds + " CHECK (" +
               BoundsCheck(QuoteName(parent.key), from, to) + ")");
}

void AttachLeaf(Session& session, const PartitionedTable& parent, const std::string& quoted_leaf,
                DatabaseTime from, DatabaseTime to) {
  for (const std::string& statement : StatementsOfAttach(parent.quoted, quoted_leaf, from, to)) {
    session.Exec(statement);
  }
}

std::vector<std::string> StatementsOfAttach(const std::string& quoted_parent,
                                            const std::string& quoted_leaf, DatabaseTime from,
                                            DatabaseTime to) {
  const std::string lower = from == DatabaseTime::min() ? "MINVALUE" : QuoteText(IsoText(from));
  const std::string upper = to == DatabaseTime::max() ? "MAXVALUE" : QuoteText(IsoText(to));
  return {"ALTER TABLE " + quoted_parent + " ATTACH PARTITION " + quoted_leaf +
              " FOR VALUES FROM (" + lower + ") TO (" + upper + ")",
          "ALTER TABLE " + quoted_leaf + " DROP CONSTRAINT IF EXISTS " + kBounds};
}

void DetachLeaf(Session& session, const PartitionedTable& parent, const std::string& quoted_leaf) {
  session.Exec("ALTER TABLE " + parent.quoted + " DETACH PARTITION " + quoted_leaf);
}

}  // namespace summa::maintenance
