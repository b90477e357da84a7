// summa_host.partition_record: partitions that have left their table, or are leaving it.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "partition/catalog.hpp"

namespace summa::maintenance {

struct PartitionRecord {
  std::int64_t id = 0;
  std::string parent, name;  // the parent with its schema, quoted; the partition's name as it is
  Range range;
  std::string state;
  std::int64_t rows = 0, bytes = 0;
  std::int64_t kept = 0;  // of the rows, those that stay in the table, in a remainder
  std::string location;   // where it is when it is archived: "schema NAME" or "file PATH"
  std::string sha256;
};

std::vector<PartitionRecord> ReadRecords(Session& session, const PartitionedTable& table);
std::optional<PartitionRecord> FindRecord(Session& session, const PartitionedTable& table,
                                          const std::string& name);

// Records that a partition is about to leave, with its number of rows, and of ledger_event (events:
// not null) where its chains begin and end, without the events that are in `remainder` as well
// (quoted; empty: there is none). Inside the caller's transaction; nothing may be written to the
// partition any more. Returns the id of the record.
std::int64_t RecordLeaving(Session& session, const PartitionedTable& table,
                           const Partition& partition, const ledger::EventTable* events,
                           const std::string& remainder = "");
// What is recorded as leaving, but never left. Inside the caller's transaction.
void ForgetRecord(Session& session, std::int64_t id);
// Inside the caller's transaction.
void SetRecordState(Session& session, std::int64_t id, const char* state);
void SetRecordArchived(Session& session, std::int64_t id, const std::string& location,
                       const std::string& sha256);
// The edges go: who verifies reads the rows again.
void SetRecordAttached(Session& session, std::int64_t id);

}  // namespace summa::maintenance
