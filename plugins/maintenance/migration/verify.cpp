#include "migration/verify.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <summa/crash_point.hpp>
#include <summa/ledger/hash.hpp>
#include <summa/parallel.hpp>
#include <vector>

#include "migration_sql.hpp"
#include "partition/catalog.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

std::string Filled(std::string_view statement, const ComparedTables& tables,
                   const std::string& table) {
  return WithNames(
      statement,
      {{"columns", Joined(tables.columns)}, {"table", table}, {"position", tables.position}});
}

std::string Named(PositionRange range) {
  return "positions " + std::to_string(range.after + 1) + " to " + std::to_string(range.through);
}

std::int64_t CountRows(Session& session, const ComparedTables& tables, const std::string& table,
                       PositionRange range) {
  return session
      .Exec(Filled("SELECT count(*) FROM {table} WHERE {position} > $1 AND {position} <= $2",
                   tables, table),
            {range.after, range.through})
      .Value<std::int64_t>();
}

Comparison CompareCounts(Session& session, const ComparedTables& tables, PositionRange range) {
  Comparison result;
  result.rows = CountRows(session, tables, tables.flat, range);
  const std::int64_t copied = CountRows(session, tables, tables.partitioned, range);
  if (copied != result.rows) {
    result.difference = Named(range) + ": " + std::to_string(result.rows) +
                        " rows in the flat table, " + std::to_string(copied) + " in the partitions";
  }
  return result;
}

struct Sums {
  std::int64_t rows = 0;
  std::string one, two;
};

Sums ReadSums(Session& session, const ComparedTables& tables, const std::string& table,
              PositionRange range) {
  const Result sums =
      session.Exec(Filled(migration_sql::fingerprint, tables, table), {range.after, range.through});
  return {sums[0].Get<std::int64_t>("rows"), sums[0].Get<std::string>("sum_one"),
          sums[0].Get<std::string>("sum_two")};
}

std::string BoundText(DatabaseTime time) {
  if (time == DatabaseTime::min()) return "-infinity";
  if (time == DatabaseTime::max()) return "infinity";
  return IsoText(time);
}

std::int64_t Misplaced(Session& session, const ComparedTables& tables, PositionRange range) {
  std::vector<std::int64_t> oids;
  std::vector<std::string> from, to;
  for (const Partition& leaf : ReadTable(session, tables.partitioned).partitions) {
    oids.push_back(leaf.oid);
    from.push_back(BoundText(leaf.from));
    to.push_back(BoundText(leaf.to));
  }
  return session
      .Exec(Filled(migration_sql::misplaced, tables, tables.partitioned),
            {range.after, range.through, IntegerArray(oids), TextArray(from), TextArray(to)})
      .Value<std::int64_t>();
}

Comparison CompareSums(Session& session, const ComparedTables& tables, PositionRange range) {
  const Sums flat = ReadSums(session, tables, tables.flat, range);
  const Sums copy = ReadSums(session, tables, tables.partitioned, range);
  Comparison result{flat.rows, ""};
  if (flat.rows != copy.rows) {
    result.difference = Named(range) + ": " + std::to_string(flat.rows) +
                        " rows in the flat table, " + std::to_string(copy.rows) +
                        " in the partitions";
  } else if (flat.one != copy.one || flat.two != copy.two) {
    result.difference = Named(range) + ": the rows are as many, but not the same";
  } else if (const std::int64_t misplaced = Misplaced(session, tables, range); misplaced > 0) {
    result.difference =
        Named(range) + ": " + std::to_string(misplaced) + " rows are in a wrong partition";
  }
  return result;
}

// Of the rows as COPY sends them, in the order of their positions. A chunk may have a million rows:
// they are not kept.
ledger::Hash HashBytes(Session& session, const ComparedTables& tables, const std::string& table,
                       PositionRange range) {
  const std::string statement =
      Filled("COPY (SELECT {columns} FROM {table} WHERE {position} > ", tables, table) +
      std::to_string(range.after) + " AND " + tables.position +
      " <= " + std::to_string(range.through) + " ORDER BY " + tables.position +
      ") TO STDOUT (FORMAT binary)";
  ledger::Hasher hasher;
  session.CopyOut(statement, [&hasher](std::string_view row) {
    hasher.Add(row);
    return true;
  });
  return hasher.Finish();
}

struct CopiedChunk {
  std::int64_t number = 0;
  PositionRange range;
};

void VerifyChunk(const summa_sql_v1* sql, const MigrationRecord& record,
                 const ComparedTables& tables, const CopiedChunk& chunk) {
  Session session(sql);
  const Comparison comparison =
      Compare(session, tables, chunk.range,
              VerifyLevelOf(record.verify_level).value_or(VerifyLevel::kChecksum));
  if (!comparison.difference.empty()) {
    RecordDifference(session, record.operation, comparison.difference);
  }
  session.Begin();
  session.Exec(
      "UPDATE summa_host.migration_chunk SET state = 'verified', row_count = $3 WHERE operation = "
      "$1 AND number = $2",
      {record.operation, chunk.number, comparison.rows});
  CrashPoint("migration.verify");
  session.Commit();
}

// Empty: there is none.
std::string TilingProblem(Session& session, std::int64_t operation, PositionRange whole) {
  const Result gaps = session.Exec(
      "SELECT coalesce(min(after_position) FILTER (WHERE after_position <> before), -1) AS gap, "
      "coalesce(max(through_position), $2::bigint) AS through FROM (SELECT after_position, "
      "through_position, lag(through_position, 1, $2::bigint) OVER (ORDER BY after_position) AS "
      "before FROM summa_host.migration_chunk WHERE operation = $1) c",
      {operation, whole.after});
  if (const auto gap = gaps[0].Get<std::int64_t>("gap"); gap >= 0) {
    return "the chunks do not follow each other at position " + std::to_string(gap);
  }
  if (gaps[0].Get<std::int64_t>("through") != whole.through) {
    return "the chunks end at position " + std::to_string(gaps[0].Get<std::int64_t>("through")) +
           " instead of " + std::to_string(whole.through);
  }
  return "";
}

// Of the partitioned table.
std::int64_t RowsOutside(Session& session, const ComparedTables& tables, PositionRange range) {
  return session
      .Exec(Filled("SELECT (SELECT count(*) FROM {table} WHERE {position} <= $1) + (SELECT "
                   "count(*) FROM {table} WHERE {position} > $2)",
                   tables, tables.partitioned),
            {range.after, range.through})
      .Value<std::int64_t>();
}

}  // namespace

std::optional<VerifyLevel> VerifyLevelOf(std::string_view name) {
  if (name == "counts") return VerifyLevel::kCounts;
  if (name == "checksum") return VerifyLevel::kChecksum;
  if (name == "bytes") return VerifyLevel::kBytes;
  return std::nullopt;
}

Comparison Compare(Session& session, const ComparedTables& tables, PositionRange range,
                   VerifyLevel level) {
  if (level == VerifyLevel::kCounts) return CompareCounts(session, tables, range);
  Comparison result = CompareSums(session, tables, range);
  if (level == VerifyLevel::kChecksum || !result.difference.empty()) return result;
  if (HashBytes(session, tables, tables.flat, range) !=
      HashBytes(session, tables, tables.partitioned, range)) {
    result.difference = Named(range) + ": the bytes of the rows differ";
  }
  return result;
}

void ThrowDifference(const std::string& what) {
  throw Error(SUMMA_E_DATA, "SH-0824", "the copy is not equal: " + what,
              "Find out what changed one of the tables. Before the exchange of the tables, --abort "
              "ends the migration. Slices of the strategy attach are made again by "
              "`migrate:partition-event-store --strategy=attach --yes`");
}

void RecordDifference(Session& session, std::int64_t operation, const std::string& what) {
  session.Begin();
  session.Exec(
      "UPDATE summa_host.migration SET verification = $2, verification_failed = true WHERE "
      "operation = $1",
      {operation, what});
  CrashPoint("migration.differs");
  session.Commit();
  ThrowDifference(what);
}

bool VerifyNextChunks(const summa_sql_v1* sql, const MigrationRecord& record,
                      const ComparedTables& tables) {
  std::vector<CopiedChunk> chunks;
  {
    Session session(sql);
    for (const Row row : session.Exec(
             "SELECT number, after_position, through_position FROM summa_host.migration_chunk "
             "WHERE operation = $1 AND state = 'copied' ORDER BY number LIMIT $2",
             {record.operation, std::int64_t{record.workers}})) {
      chunks.push_back(
          {row.Get<std::int64_t>("number"),
           {row.Get<std::int64_t>("after_position"), row.Get<std::int64_t>("through_position")}});
    }
  }
  InParallel(chunks.size(), record.workers,
             [&](std::size_t i) { VerifyChunk(sql, record, tables, chunks[i]); });
  return !chunks.empty();
}

void RequireWhole(const summa_sql_v1* sql, const MigrationRecord& record,
                  const ComparedTables& tables, PositionRange chunks, std::int64_t last) {
  Session session(sql);
  const std::string problem = TilingProblem(session, record.operation, chunks);
  if (!problem.empty()) RecordDifference(session, record.operation, problem);
  const std::int64_t outside = RowsOutside(session, tables, {chunks.after, last});
  if (outside == 0) return;
  RecordDifference(session, record.operation,
                   std::to_string(outside) + " rows of the partitions are none of the flat table");
}

void NoteVerified(Session& session, std::int64_t operation) {
  session.Exec(
      "UPDATE summa_host.migration m SET verification = format('%s: %s chunks, %s rows', "
      "verify_level, c.n, c.rows) FROM (SELECT count(*) AS n, coalesce(sum(row_count), 0) AS rows "
      "FROM summa_host.migration_chunk WHERE operation = $1) c WHERE m.operation = $1",
      {operation});
}

Tail CompareTail(Session& session, const ComparedTables& tables, std::int64_t after,
                 std::int64_t most) {
  const std::string statement = WithNames(migration_sql::tail, {{"columns", Joined(tables.columns)},
                                                                {"flat", tables.flat},
                                                                {"partitioned", tables.partitioned},
                                                                {"position", tables.position}});
  const Result tail = session.Exec(statement, {after, most});
  return {tail[0].Get<std::int64_t>("rows"), tail[0].Get<std::int64_t>("highest"),
          tail[0].Get<bool>("equal")};
}

}  // namespace summa::maintenance
