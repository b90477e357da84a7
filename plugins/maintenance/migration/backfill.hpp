// Copies what was there before the mirroring began, in chunks of positions. Each chunk is committed
// together with its row of summa_host.migration_chunk: after a crash exactly the chunks without a
// row are left.
#pragma once

#include <summa/operation.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "migration/verify.hpp"

namespace summa::maintenance {

// The end of the first piece of a range, of at most `rows` rows of the table: a statement over more
// could take longer than the host allows.
std::int64_t PieceEnd(Session& session, const ComparedTables& tables, const std::string& table,
                      PositionRange range, std::int64_t rows);

// At most `count` pieces of what is not copied yet, of at most `rows` rows each. Empty: everything
// is copied.
std::vector<PositionRange> NextChunks(Session& session, std::int64_t operation,
                                      const ComparedTables& tables, PositionRange whole,
                                      std::int64_t rows, int count);

// Each chunk in a session and a thread of its own; returns the number of rows. When one fails, the
// others are kept. Plain INSERTs: a row that is there already is an error, never skipped.
std::int64_t CopyChunks(const summa_sql_v1* sql, std::int64_t operation,
                        const ComparedTables& tables, const std::vector<PositionRange>& chunks);

struct CopiedChunks {
  std::string throttled;  // why nothing was copied now; empty: something was, or nothing is left
  bool any = false;
};
// The next chunks of what the migration copies: positions `base` to `through`.
CopiedChunks CopyNextChunks(const summa_sql_v1* sql, const WorkCaller& caller,
                            const MigrationRecord& record, std::int64_t rows_wanted);
// In the open transaction: what was copied is gone.
void ForgetChunks(Session& session, std::int64_t operation);

// In the transaction of the step: rows that the journal does not count yet. It counts a row twice, when
// it is copied and when it is verified.
std::int64_t NewRows(OperationStep& step);
inline constexpr std::int64_t kCountsOfARow = 2;

// After copying, in the transaction of the step. Returns NewRows().
// all: nothing is left to copy, and snapshots that are older than this may not see everything.
std::int64_t NoteCopied(OperationStep& step, bool all);

}  // namespace summa::maintenance
