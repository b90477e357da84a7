#include "manager/records.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "manager_sql.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

std::vector<PartitionRecord> Read(Session& session, const PartitionedTable& table,
                                  const std::optional<std::string>& name) {
  std::vector<PartitionRecord> records;
  const Parameter wanted = name ? Parameter(*name) : Parameter(nullptr);
  for (const Row row : session.Exec(manager_sql::records, {table.quoted, wanted})) {
    PartitionRecord record;
    record.id = row.Get<std::int64_t>("id");
    record.parent = table.quoted;
    record.name = row.Get<std::string>("name");
    record.range = {row.Get<DatabaseTime>("from_time"), row.Get<DatabaseTime>("to_time")};
    record.state = row.Get<std::string>("state");
    record.rows = row.Get<std::int64_t>("row_count");
    record.bytes = row.Get<std::int64_t>("bytes");
    record.kept = row.Get<std::int64_t>("kept_count");
    record.location = row.Get<std::string>("location");
    record.sha256 = row.Get<std::string>("sha256");
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace

std::vector<PartitionRecord> ReadRecords(Session& session, const PartitionedTable& table) {
  return Read(session, table, std::nullopt);
}

std::optional<PartitionRecord> FindRecord(Session& session, const PartitionedTable& table,
                                          const std::string& name) {
  std::vector<PartitionRecord> records = Read(session, table, name);
  if (records.empty()) return std::nullopt;
  return std::move(records.front());
}

std::int64_t RecordLeaving(Session& session, const PartitionedTable& table,
                           const Partition& partition, const ledger::EventTable* events,
                           const std::string& remainder) {
  LiftStatementTimeout(session);
  const std::string range =
      WithinRange("m." + QuoteName(table.key), {partition.from, partition.to});
  const std::int64_t kept =
      remainder.empty() ? 0
                        : session.Exec("SELECT count(*) FROM " + remainder + " m WHERE " + range)
                              .Value<std::int64_t>();
  const auto rows = session.Exec("SELECT count(*) FROM " + partition.quoted).Value<std::int64_t>();
  const auto id = session
                      .Exec(manager_sql::record_leaving,
                            {table.quoted, partition.name, Timestamp(partition.from),
                             Timestamp(partition.to), rows, partition.bytes, kept})
                      .Value<std::int64_t>();
  session.Exec("DELETE FROM summa_host.partition_edge WHERE record = $1", {id});
  if (events != nullptr) {
    const std::string leaving = remainder.empty()
                                    ? partition.quoted
                                    : "(SELECT * FROM " + partition.quoted +
                                          " r WHERE NOT EXISTS (SELECT FROM " + remainder +
                                          " m WHERE m.id = r.id AND " + range + "))";
    session.Exec(WithNames(manager_sql::record_edges, {{"leaving", leaving},
                                                       {"partition", partition.quoted},
                                                       {"version", events->version},
                                                       {"hash", events->hash},
                                                       {"previous_hash", events->previous_hash}}),
                 {id});
  }
  return id;
}

void ForgetRecord(Session& session, std::int64_t id) {
  session.Exec("DELETE FROM summa_host.partition_record WHERE id = $1", {id});
}

void SetRecordState(Session& session, std::int64_t id, const char* state) {
  session.Exec(
      "UPDATE summa_host.partition_record SET state = $2, updated_at = clock_timestamp() WHERE id "
      "= $1",
      {id, state});
}

void SetRecordArchived(Session& session, std::int64_t id, const std::string& location,
                       const std::string& sha256) {
  session.Exec(
      "UPDATE summa_host.partition_record SET state = 'archived', location = $2, sha256 = "
      "nullif($3, ''), updated_at = clock_timestamp() WHERE id = $1",
      {id, location, sha256});
}

void SetRecordAttached(Session& session, std::int64_t id) {
  session.Exec("DELETE FROM summa_host.partition_edge WHERE record = $1", {id});
  SetRecordState(session, id, "attached");
}

}  // namespace summa::maintenance
