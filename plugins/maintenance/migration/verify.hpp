// Are two tables equal? Ranges of positions that nobody changes any more are compared, so no lock
// and no common snapshot is needed.
#pragma once

#include <summa/sql.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "migration/inventory.hpp"
#include "migration/record.hpp"

namespace summa::maintenance {

// Each finds everything that the one before finds.
enum class VerifyLevel { kCounts, kChecksum, kBytes };
std::optional<VerifyLevel> VerifyLevelOf(std::string_view name);

struct ComparedTables {
  std::string flat, partitioned;     // quoted
  std::vector<std::string> columns;  // quoted
  std::string position;              // quoted
};

// Rows with after < position <= through.
struct PositionRange {
  std::int64_t after = 0, through = 0;
};

struct Comparison {
  std::int64_t rows = 0;
  std::string difference;  // empty: equal
};

// From kChecksum on also whether each row is in the partition of its time. kBytes needs a session
// that is not in a read-write transaction.
Comparison Compare(Session& session, const ComparedTables& tables, PositionRange range,
                   VerifyLevel level);

// SH-0824, for a difference that is recorded.
[[noreturn]] void ThrowDifference(const std::string& what);
// Records it, in a transaction of its own, so that no host and no later try takes the copy for
// equal; then the same.
[[noreturn]] void RecordDifference(Session& session, std::int64_t operation,
                                   const std::string& what);

// Of the chunks that are copied, the next are verified, one by each worker. False: there is none. A
// difference is recorded.
bool VerifyNextChunks(const summa_sql_v1* sql, const MigrationRecord& record,
                      const ComparedTables& tables);
// When all are. A difference is recorded: the chunks do not follow each other without gap or
// overlap through the range, or the partitioned table has rows before it, or after `last`.
void RequireWhole(const summa_sql_v1* sql, const MigrationRecord& record,
                  const ComparedTables& tables, PositionRange chunks, std::int64_t last);
// In the open transaction: "bytes: 12 chunks, 3456 rows", for people.
void NoteVerified(Session& session, std::int64_t operation);

struct Tail {
  std::int64_t rows = 0, highest = 0;  // of the flat table; without rows: the given position
  bool equal = false;
};
// What both tables have above a position, at most `most` rows of each. One statement, for the lock
// of the exchange; both tables must be locked.
Tail CompareTail(Session& session, const ComparedTables& tables, std::int64_t after,
                 std::int64_t most);

}  // namespace summa::maintenance
