#include "partition/catalog.hpp"

#include <summa/error.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "partition_sql.hpp"

namespace summa::maintenance {
namespace {

[[noreturn]] void ThrowNoTable(const std::string& table, const std::string& why) {
  throw Error(SUMMA_E_CONFIG, "SH-0806", "there is no table " + table + why,
              "Check the name and database.ledger.schema; quote what is not lower case");
}

[[noreturn]] void ThrowNotPartitioned(const std::string& table, const std::string& why) {
  throw Error(SUMMA_E_CONFIG, "SH-0807",
              "the partitions of table " + table + " cannot be managed: " + why,
              "It must be partitioned by the range of one timestamptz column that is NOT NULL, and "
              "its partitions must be plain tables in its schema");
}

// What to_regclass says of a text that is no name.
bool NoName(const Error& error) {
  return error.sqlstate() == "42601" || error.sqlstate() == "42602" || error.sqlstate() == "0A000";
}

Result FindTable(Session& session, const std::string& table) {
  try {
    return session.Exec(partition_sql::find_table, {table});
  } catch (const Error& error) {
    if (NoName(error)) ThrowNoTable(table, std::string(": ") + error.what());
    throw;
  }
}

Partition ReadPartition(const PartitionedTable& table, const Row& row) {
  Partition partition;
  partition.oid = row.Get<std::int64_t>("oid");
  partition.schema = row.Get<std::string>("schema");
  partition.name = row.Get<std::string>("name");
  partition.quoted = row.Get<std::string>("quoted");
  if (!row.Get<bool>("plain")) {
    ThrowNotPartitioned(table.quoted, partition.quoted + " is not a plain table");
  }
  // What is recorded of partitions has no schema: it is the table's.
  if (partition.schema != table.schema) {
    ThrowNotPartitioned(table.quoted, partition.quoted + " is in another schema");
  }
  partition.from = row.Get<DatabaseTime>("from_time");
  partition.to = row.Get<DatabaseTime>("to_time");
  partition.detach_pending = row.Get<bool>("detach_pending");
  partition.rows = row.Get<double>("rows");
  partition.bytes = row.Get<std::optional<std::int64_t>>("bytes").value_or(0);
  return partition;
}

// The catalog alone cannot tell the flat table of a migration from a lower overflow partition.
void MarkFlatTable(Session& session, PartitionedTable& table) {
  const auto lowest =
      std::find_if(table.partitions.begin(), table.partitions.end(), [](const Partition& one) {
        return one.from == DatabaseTime::min() && one.to != DatabaseTime::max();
      });
  if (lowest == table.partitions.end()) return;
  if (!session.Exec(partition_sql::has_migrations).Value<bool>()) return;
  lowest->flat = session.Exec(partition_sql::is_flat_table, {table.oid, lowest->oid}).Value<bool>();
}

void MarkRemainders(Session& session, PartitionedTable& table) {
  if (table.partitions.empty()) return;
  if (!session.Exec(partition_sql::has_remainders).Value<bool>()) return;
  for (const Row row : session.Exec(partition_sql::remainders, {table.quoted})) {
    const auto name = row.Get<std::string>("name");
    for (Partition& one : table.partitions) one.remainder = one.remainder || one.name == name;
  }
}

template <typename Condition>
const Partition* FindOne(const std::vector<Partition>& partitions, const Condition& condition) {
  const auto found = std::find_if(partitions.begin(), partitions.end(), condition);
  return found == partitions.end() ? nullptr : &*found;
}

}  // namespace

const Partition* PartitionedTable::Find(std::int64_t partition_oid) const {
  return FindOne(partitions,
                 [=](const Partition& partition) { return partition.oid == partition_oid; });
}

const Partition* PartitionedTable::overflow_low() const {
  return FindOne(partitions, [](const Partition& partition) {
    return partition.overflow() && partition.from == DatabaseTime::min() &&
           !partition.detach_pending;
  });
}

const Partition* PartitionedTable::overflow_high() const {
  return FindOne(partitions, [](const Partition& partition) {
    return partition.to == DatabaseTime::max() && !partition.detach_pending;
  });
}

std::optional<Range> PartitionedTable::covered() const {
  std::optional<Range> covered;
  for (const Partition& partition : partitions) {
    if (partition.overflow() || partition.detach_pending) continue;
    if (!covered) covered = Range{partition.from, partition.to};
    covered->to = std::max(covered->to, partition.to);
  }
  return covered;
}

PartitionedTable ReadTable(Session& session, const std::string& table) {
  const Result found = FindTable(session, table);
  if (found.rows() == 0) ThrowNoTable(table, "");
  const Row row = found[0];
  PartitionedTable read;
  read.oid = row.Get<std::int64_t>("oid");
  read.schema = row.Get<std::string>("schema");
  read.name = row.Get<std::string>("name");
  read.quoted = row.Get<std::string>("quoted");
  const auto problem = row.Get<std::optional<std::string>>("problem");
  if (problem) ThrowNotPartitioned(read.quoted, *problem);
  read.key = row.Get<std::string>("key");
  read.default_partition =
      row.Get<std::optional<std::string>>("default_partition").value_or(std::string());
  for (const Row partition : session.Exec(partition_sql::partitions, {read.oid})) {
    read.partitions.push_back(ReadPartition(read, partition));
  }
  MarkFlatTable(session, read);
  MarkRemainders(session, read);
  return read;
}

}  // namespace summa::maintenance
