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

// Of the chunks that are copied, the next: it is then verified, or the failure is recorded, so that
// no host and no later try takes the copy for equal. False: there is none. SH-0824 when it differs.
bool VerifyNextChunk(const summa_sql_v1* sql, const MigrationRecord& record,
                     const ComparedTables& tables);
[[noreturn]] void ThrowDifference(const std::string& what);

struct Tail {
  std::int64_t rows = 0, highest = 0;  // of the flat table; without rows: the given position
  bool equal = false;
};
// What both tables have above a position, at most `most` rows of each. One statement, for the lock
// of the exchange; both tables must be locked.
Tail CompareTail(Session& session, const ComparedTables& tables, std::int64_t after,
                 std::int64_t most);

// Do the chunks of the operation follow each other without gap or overlap, from `base` to
// `through`? Empty: they do.
std::string TilingProblem(Session& session, std::int64_t operation, PositionRange whole);
// Rows of the partitioned table outside of the range. 0 is right.
std::int64_t RowsOutside(Session& session, const ComparedTables& tables, PositionRange range);

}  // namespace summa::maintenance
