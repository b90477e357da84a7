#include "migration/backfill.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <summa/crash_point.hpp>
#include <summa/parallel.hpp>
#include <utility>
#include <vector>

#include "migration/exchange.hpp"
#include "migration/throttle.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// The first range between two chunks, or before the end, that has no chunk.
constexpr const char* kFirstGap = R"sql(
SELECT before AS after, after_position AS through FROM (
  SELECT after_position, lag(through_position, 1, $2::bigint) OVER (ORDER BY after_position) AS before
  FROM (SELECT after_position, through_position FROM summa_host.migration_chunk WHERE operation = $1
        UNION ALL SELECT $3::bigint, $3::bigint) chunks) gaps
WHERE after_position > before AND before >= $4 ORDER BY before LIMIT 1)sql";

// Where a step takes long whatever it copies (a busy machine, a slow commit), fewer rows make it no
// shorter: the copy would come down to single rows, each a chunk that is verified by itself.
constexpr std::int64_t kFewestRows = 1'000;

std::int64_t CopyChunk(const summa_sql_v1* sql, std::int64_t operation,
                       const ComparedTables& tables, PositionRange chunk) {
  Session session(sql);
  session.Begin();
  LiftStatementTimeout(session);
  RequireRunning(session, operation);
  const std::string columns = Joined(tables.columns);
  const std::int64_t rows =
      session
          .Exec("INSERT INTO " + tables.partitioned + " (" + columns + ") SELECT " + columns +
                    " FROM " + tables.flat + " WHERE " + tables.position + " > $1 AND " +
                    tables.position + " <= $2 ORDER BY " + tables.position,
                {chunk.after, chunk.through})
          .affected_rows();
  CrashPoint("migration.copied");
  session.Exec(
      "INSERT INTO summa_host.migration_chunk (operation, number, after_position, "
      "through_position, state, row_count) VALUES ($1, $2, $3, $4, 'copied', $5)",
      {operation, chunk.after + 1, chunk.after, chunk.through, rows});
  CrashPoint("migration.chunk");
  session.Commit();
  CrashPoint("migration.chunk_committed");
  return rows;
}

}  // namespace

std::int64_t PieceEnd(Session& session, const ComparedTables& tables, const std::string& table,
                      PositionRange range, std::int64_t rows) {
  const Result last =
      session.Exec("SELECT " + tables.position + " AS last FROM " + table + " WHERE " +
                       tables.position + " > $1 AND " + tables.position + " <= $2 ORDER BY " +
                       tables.position + " OFFSET $3 LIMIT 1",
                   {range.after, range.through, rows - 1});
  return last.rows() == 0 ? range.through : last[0].Get<std::int64_t>("last");
}

std::vector<PositionRange> NextChunks(Session& session, std::int64_t operation,
                                      const ComparedTables& tables, PositionRange whole,
                                      std::int64_t rows, int count) {
  std::vector<PositionRange> chunks;
  std::int64_t from = whole.after;
  while (static_cast<int>(chunks.size()) < count) {
    const Result gap = session.Exec(kFirstGap, {operation, whole.after, whole.through, from});
    // Within the gap that is being divided the chunks have no rows in the table yet.
    if (gap.rows() == 0) break;
    std::int64_t after = gap[0].Get<std::int64_t>("after");
    const auto end = gap[0].Get<std::int64_t>("through");
    while (after < end && static_cast<int>(chunks.size()) < count) {
      const std::int64_t through = PieceEnd(session, tables, tables.flat, {after, end}, rows);
      chunks.push_back({after, through});
      after = through;
    }
    from = end;
  }
  return chunks;
}

std::int64_t CopyChunks(const summa_sql_v1* sql, std::int64_t operation,
                        const ComparedTables& tables, const std::vector<PositionRange>& chunks) {
  std::vector<std::int64_t> rows(chunks.size());
  InParallel(chunks.size(), static_cast<int>(chunks.size()),
             [&](std::size_t i) { rows[i] = CopyChunk(sql, operation, tables, chunks[i]); });
  std::int64_t sum = 0;
  for (const std::int64_t count : rows) sum += count;
  return sum;
}

CopiedChunks CopyNextChunks(const summa_sql_v1* sql, const WorkCaller& caller,
                            const MigrationRecord& record, std::int64_t rows_wanted) {
  std::vector<PositionRange> chunks;
  ComparedTables tables;
  {
    Session session(sql);
    std::string reason = ThrottleReason(session, caller, record.operation);
    if (!reason.empty()) return {std::move(reason), false};
    tables = TablesOf(session, record);
    const std::int64_t size =
        std::clamp(rows_wanted, std::min(kFewestRows, record.batch_size), record.batch_size);
    chunks = NextChunks(session, record.operation, tables, {record.base, record.through}, size,
                        record.workers);
  }
  CopyChunks(sql, record.operation, tables, chunks);
  return {"", !chunks.empty()};
}

void ForgetChunks(Session& session, std::int64_t operation) {
  session.Exec("DELETE FROM summa_host.migration_chunk WHERE operation = $1", {operation});
}

std::int64_t NewRows(OperationStep& step) {
  const auto rows = step.Transaction()
                        .Exec(
                            "SELECT coalesce(sum(CASE state WHEN 'verified' THEN 2 ELSE 1 END * "
                            "row_count), 0)::bigint FROM summa_host.migration_chunk WHERE "
                            "operation = $1",
                            {step.id()})
                        .Value<std::int64_t>();
  // Slices that are made again begin at nothing, and what the journal counts is not taken back.
  return std::max<std::int64_t>(rows - step.done(), 0);
}

std::int64_t NoteCopied(OperationStep& step, bool all) {
  Session& session = step.Transaction();
  StopWaiting(session, step.id());
  if (all) {
    // Every chunk is committed, so a snapshot that is younger than this transaction sees them all.
    session.Exec(
        "UPDATE summa_host.migration SET backfill_xid = pg_current_xact_id()::text WHERE operation "
        "= $1",
        {step.id()});
  }
  return NewRows(step);
}

}  // namespace summa::maintenance
