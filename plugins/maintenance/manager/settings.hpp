// What is configured of partitions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "partition/plan.hpp"

namespace summa::maintenance {

// What becomes of a partition after it was detached.
enum class ArchiveKind {
  kNone,    // it stays where it is, as a table of its own
  kSchema,  // it moves to another schema
  kFile     // it is written to a file, and dropped
};

struct TableSettings {
  std::string table = "ledger_event";  // quoted where necessary
  PartitionSettings ranges;
  ArchiveKind archive = ArchiveKind::kNone;
  std::string archive_schema;
  std::string archive_directory;  // of every host that may run the worker; absolute
};

struct ManagerSettings {
  // Nothing: ledger_event, when it is partitioned.
  std::vector<TableSettings> tables;
  // A range is closed this long after its end, so that writers that set the time themselves are
  // covered.
  std::chrono::microseconds closed_after = std::chrono::hours(1);
  // Of ledger_event: whether a range is detached only after it was verified.
  bool require_verified = true;
  // An overflow partition with up to this number of rows is drained by copying them in one
  // transaction, while writers wait. One with more becomes a range itself, and nothing is copied.
  std::int64_t drain_rows = 100'000;
  // A detach is not begun while a transaction on the table is older than this.
  std::chrono::microseconds longest_transaction = std::chrono::seconds(5);
  // Limits of one run, for DDL and for a detach.
  std::chrono::microseconds ddl_deadline = std::chrono::minutes(5);
  std::chrono::microseconds detach_deadline = std::chrono::minutes(5);
};

}  // namespace summa::maintenance
