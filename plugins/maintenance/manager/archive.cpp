#include "manager/archive.hpp"

#include <summa/crash_point.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "manager/apply.hpp"
#include "manager/gates.hpp"
#include "manager/gzip_file.hpp"
#include "manager/remainder.hpp"
#include "partition/leaf.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

constexpr std::string_view kSchema = "schema ", kFile = "file ";
// Of the text of a file, in one transaction when it is loaded.
constexpr std::size_t kLoadedAtOnce = 8 << 20;

std::string InSchema(const std::string& schema, const std::string& name) {
  return QuoteName(schema) + "." + QuoteName(name);
}

bool Exists(Session& session, const std::string& quoted) {
  return session.Exec("SELECT to_regclass($1) IS NOT NULL", {quoted}).Value<bool>();
}

void ToSchema(Session& session, const PartitionedTable& table, const TableSettings& settings,
              const PartitionRecord& record) {
  session.Begin();
  // DETACH CONCURRENTLY has left a CHECK of the bounds, with which it is attached again at once.
  const std::string schema = QuoteName(settings.archive_schema);
  // IF NOT EXISTS would need the right to create one even when it exists.
  const bool missing = session.Exec("SELECT to_regnamespace($1) IS NULL", {schema}).Value<bool>();
  if (missing) session.Exec("CREATE SCHEMA " + schema);
  session.Exec("ALTER TABLE " + InSchema(table.schema, record.name) + " SET SCHEMA " + schema);
  SetRecordArchived(session, record.id, std::string(kSchema) + settings.archive_schema, "");
  CrashPoint("partition.move");
  session.Commit();
  CrashPoint("partition.moved");
}

FileContent WriteFile(Session& session, const PartitionedTable& table,
                      const PartitionRecord& record, const std::string& path) {
  const std::string quoted = InSchema(table.schema, record.name);
  const std::optional<ledger::EventTable> events = EventsOf(session, table);
  const std::string order = events ? events->position : QuoteName(table.key);
  const std::string columns = ColumnsOf(session, quoted);
  GzipWriter file(path);
  file.Write(columns + "\n");
  session.Begin(SUMMA_SQL_READ_ONLY);
  LiftStatementTimeout(session);
  session.CopyOut(
      "COPY (SELECT " + columns + " FROM " + quoted + " ORDER BY " + order + ") TO STDOUT",
      [&](std::string_view row) {
        file.Write(row);
        return true;
      });
  session.Rollback();
  CrashPoint("partition.file_part");
  return file.Finish();
}

std::optional<std::string> ToFile(const Environment& environment, Session& session,
                                  const PartitionedTable& table, const TableSettings& settings,
                                  const PartitionRecord& record) {
  const std::string path = settings.archive_directory + "/" + record.name + ".copy.gz";
  const FileContent written = WriteFile(session, table, record, path);
  CrashPoint("partition.file");
  if (environment.caller.should_stop()) return "told to stop";
  if (ReadGzip(path, {}) != written) {
    return path + " was read back with another content; the table stays";
  }
  session.Begin();
  session.Exec("DROP TABLE " + InSchema(table.schema, record.name));
  SetRecordArchived(session, record.id, std::string(kFile) + path, written.sha256);
  CrashPoint("partition.drop");
  session.Commit();
  CrashPoint("partition.dropped");
  return std::nullopt;
}

// Splits the text of a file into its first line and batches of whole rows.
class Loader {
 public:
  Loader(Session& session, std::string table) : session_(session), table_(std::move(table)) {}

  void Take(std::string_view piece) {
    buffer_ += piece;
    if (columns_.empty()) {
      const std::size_t end = buffer_.find('\n');
      if (end == std::string::npos) return;
      columns_ = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
    }
    if (buffer_.size() >= kLoadedAtOnce) Copy(buffer_.rfind('\n') + 1);
  }
  void Finish() {
    if (!buffer_.empty()) Copy(buffer_.size());
  }

 private:
  // A line break inside of a value is written as \n, so each line is a row.
  void Copy(std::size_t size) {
    if (size == 0) return;
    bool given = false;
    session_.Begin();
    LiftStatementTimeout(session_);
    session_.CopyIn("COPY " + table_ + " (" + columns_ + ") FROM STDIN",
                    [&]() -> std::optional<std::string_view> {
                      if (std::exchange(given, true)) return std::nullopt;
                      return std::string_view(buffer_).substr(0, size);
                    });
    CrashPoint("partition.load");
    session_.Commit();
    buffer_.erase(0, size);
  }

  Session& session_;
  const std::string table_;
  std::string columns_, buffer_;
};

// Returns the table, complete and not attached.
std::string FromFile(const Environment& environment, Session& session,
                     const PartitionedTable& table, const PartitionRecord& record,
                     const std::string& path) {
  // First all of it: what is not what was written is not loaded, not even in part.
  if (ReadGzip(path, {}).sha256 != record.sha256) {
    throw Error(SUMMA_E_DATA, "SH-0837",
                path +
                    " is not the file that was written: its SHA-256 is "
                    "not " +
                    record.sha256,
                "Restore the file from a backup");
  }
  session.Begin();
  const std::string leaf =
      CreateLeaf(session, table, record.name, record.range.from, record.range.to);
  MarkUnattached(session, table, leaf);
  session.Commit();
  Loader loader(session, leaf);
  ReadGzip(path, [&](std::string_view piece) {
    if (environment.caller.should_stop()) {
      throw Error(SUMMA_E_CANCELLED, "SH-0904", "told to stop before " + path + " was loaded");
    }
    loader.Take(piece);
  });
  loader.Finish();
  const std::int64_t rows = CountRows(session, leaf);
  if (rows != record.rows) {
    throw Error(SUMMA_E_DATA, "SH-0837",
                path + " has " + std::to_string(rows) + " rows, and the partition had " +
                    std::to_string(record.rows),
                "Restore the file from a backup");
  }
  return leaf;
}

Error InTheWay(const std::string& what) {
  return {SUMMA_E_TRY_LATER, "SH-0838", "the partition cannot be attached: " + what,
          "Remove what is in the way, then try again"};
}

const Partition* InTheWayOf(const PartitionedTable& table, const Range& range) {
  const Partition* remainder = RemainderOf(table, range);
  for (const Partition& partition : table.partitions) {
    if (&partition == remainder) continue;
    if (partition.overflow() && partition.from == DatabaseTime::min()) continue;
    if (partition.from < range.to && range.from < partition.to) return &partition;
  }
  return nullptr;
}

// The rows of the lower overflow partition are read before writers have to wait.
void CheckLower(const Environment& environment, Session& session, const PartitionedTable& table,
                const Partition& low, DatabaseTime to) {
  const std::string any = "SELECT EXISTS (SELECT FROM " + low.quoted + ")";
  if (!session.Exec(any).Value<bool>()) return;
  const std::string below = WithinRange(QuoteName(table.key), {DatabaseTime::min(), to});
  const DdlOutcome done = CheckNewBounds(environment, session, low.quoted, below);
  if (done.done) return;
  throw InTheWay(done.blockers.empty() ? "no lock was obtained" : done.blockers.front().what);
}

void AttachInPlaceOfRemainder(const Environment& environment, Session& session,
                              const PartitionedTable& table, const Partition& remainder,
                              const ComingBack& partition) {
  const std::optional<ledger::EventTable> events = EventsOf(session, table);
  if (!events) throw InTheWay(remainder.quoted + " is a remainder, but not of events");
  const std::vector<Blocker> blockers =
      AttachInPlaceOf(environment, session, table, *events, remainder, partition,
                      [&](Session& inside) { SetRecordAttached(inside, partition.record.id); });
  if (!blockers.empty()) throw InTheWay(TextOf(blockers));
}

// In one transaction with the overflow partition, so that no row is without a place.
void Attach(const Environment& environment, Session& session, const PartitionedTable& table,
            const ComingBack& partition) {
  const PartitionRecord& record = partition.record;
  const std::string leaf = InSchema(table.schema, record.name);
  const Partition* low = table.overflow_low();
  const bool shrink = low != nullptr && record.range.from < low->to;
  std::vector<LockRequest> locks = {
      {table.quoted, shrink ? LockMode::kAccessExclusive : LockMode::kShareUpdateExclusive},
      {partition.found}};
  if (shrink) locks.push_back({low->quoted});
  if (shrink) CheckLower(environment, session, table, *low, record.range.from);
  const auto body = [&](Session& inside) {
    if (partition.moved) {
      inside.Exec("ALTER TABLE " + partition.found + " SET SCHEMA " + QuoteName(table.schema));
    }
    if (shrink) DetachLeaf(inside, table, low->quoted);
    AttachLeaf(inside, table, leaf, record.range.from, record.range.to);
    if (shrink) {
      AttachLeaf(inside, table, low->quoted, DatabaseTime::min(), record.range.from);
      UncheckNewBounds(inside, low->quoted);
    }
    UnmarkUnattached(inside, table, leaf);
    SetRecordAttached(inside, record.id);
    CrashPoint("partition.attach_again");
  };
  const DdlOutcome done =
      RunDdl(session, environment.caller, locks, environment.ddl_limits(), body);
  CrashPoint("partition.attached_again");
  if (done.done) return;
  // The CHECK of the lower overflow partition would refuse rows until the next run.
  DropLeftovers(environment, table.quoted);
  throw InTheWay(done.blockers.empty() ? "no lock was obtained" : done.blockers.front().what);
}

// Where it is; the rows of a file are in a table afterwards.
ComingBack Found(const Environment& environment, Session& session, const PartitionedTable& table,
                 const PartitionRecord& record) {
  if (record.location.starts_with(kFile)) {
    const std::string path = record.location.substr(kFile.size());
    return {record, FromFile(environment, session, table, record, path), false, true};
  }
  const bool moved = record.location.starts_with(kSchema);
  const std::string schema = moved ? record.location.substr(kSchema.size()) : table.schema;
  return {record, InSchema(schema, record.name), moved, false};
}

}  // namespace

std::optional<std::string> Archive(const Environment& environment, const TableSettings& settings,
                                   const PartitionRecord& record) {
  if (record.state != "detached" || settings.archive == ArchiveKind::kNone) return std::nullopt;
  Session session(environment.sql);
  const PartitionedTable table = ReadTable(session, settings.table);
  if (!Exists(session, InSchema(table.schema, record.name))) {
    return "the detached table " + record.name + " is gone";
  }
  if (settings.archive == ArchiveKind::kFile) {
    return ToFile(environment, session, table, settings, record);
  }
  ToSchema(session, table, settings, record);
  return std::nullopt;
}

void AttachAgain(const Environment& environment, const TableSettings& settings,
                 const std::string& name) {
  Session session(environment.sql);
  const PartitionedTable table = ReadTable(session, settings.table);
  const std::optional<PartitionRecord> record = FindRecord(session, table, name);
  if (!record || (record->state != "detached" && record->state != "archived")) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0836",
                "no partition " + name + " of " + table.quoted + " was detached",
                "`summa-host partitions list` shows those that were");
  }
  if (const Partition* other = InTheWayOf(table, record->range)) {
    throw InTheWay(other->quoted + " has the same range, or a part of it");
  }
  if (const Partition* low = table.overflow_low()) {
    const Result rows =
        ReadLong(session, "SELECT EXISTS (SELECT FROM " + low->quoted + " WHERE " +
                              QuoteName(table.key) + " >= " + QuoteTime(record->range.from) + ")");
    if (rows.Value<bool>()) {
      throw InTheWay(low->quoted + " has rows of its range or of later ones");
    }
  }
  const ComingBack partition = Found(environment, session, table, *record);
  if (const Partition* remainder = RemainderOf(table, record->range)) {
    return AttachInPlaceOfRemainder(environment, session, table, *remainder, partition);
  }
  Attach(environment, session, table, partition);
}

}  // namespace summa::maintenance
