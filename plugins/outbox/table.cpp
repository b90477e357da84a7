#include "table.hpp"

#include <algorithm>
#include <unordered_map>

#include "lanes.hpp"
#include "outbox_sql.hpp"

namespace summa::outbox {
namespace {

constexpr std::string_view kInvalidText = "22P02";  // SQLSTATE of a cast that failed
constexpr std::int64_t kMinusInfinity = INT64_MIN;  // PostgreSQL's -infinity in binary

// Comments are for the reader of the file; in a statement of one line they would swallow its rest.
std::string Statement(std::string_view sql) {
  std::string text;
  while (!sql.empty()) {
    const std::size_t end = std::min(sql.find('\n'), sql.size());
    const std::string_view line = sql.substr(0, end);
    const std::size_t start = line.find_first_not_of(' ');
    if (start != std::string_view::npos && !line.substr(start).starts_with("--")) {
      text += line;
      text += '\n';
    }
    sql.remove_prefix(std::min(end + 1, sql.size()));
  }
  return text;
}

// The one stream of all topics, or NULL.
Parameter Route(const Settings& settings) {
  return settings.route == "topic" ? Parameter(nullptr) : Parameter(settings.route);
}

// With one stream, pausing it pauses everything: the processor does not poll then.
Parameter PausedTopics(const Exclusions& exclusions, const Settings& settings) {
  const std::vector<std::string> none;
  return TextArray(settings.route == "topic" ? exclusions.streams : none);
}

// Runs it without and, when a payload held an id that is none, with the full check of every id.
template <typename Function>
auto CheapOrCareful(Function&& run) {
  try {
    return run(false);
  } catch (const Error& error) {
    if (error.sqlstate() != kInvalidText) throw;
  }
  return run(true);
}

Row ReadRow(const Result& result, std::size_t row) {
  Row out;
  out.id = result.At(row, 0).AsUuid();
  out.topic = result.At(row, 1).Text();
  out.payload = result.At(row, 2).Text();
  out.created_at_microseconds = result.At(row, 3).Integer();
  out.retry_count = result.At(row, 4).Integer();
  out.key = result.At(row, 5).Text();
  return out;
}

void ReadPosition(const Result& result, std::size_t row, std::size_t column, Row& out) {
  const Cell position = result.At(row, column);
  if (!position.null()) out.position = position.Integer();
  out.correlation_id = result.At(row, column + 1).Text();
}

}  // namespace

OutboxTable::OutboxTable(Settings settings)
    : settings_(std::move(settings)),
      poll_(Statement(sql::poll)),
      backlog_(Statement(sql::backlog)),
      fetch_(Statement(sql::fetch)),
      mark_(Statement(sql::mark)),
      next_page_("FETCH FORWARD " + std::to_string(settings_.batch_size) + " FROM summa_backlog") {}

std::string OutboxTable::Snapshot(Session& session) const {
  return std::string(session.Exec("SELECT pg_current_snapshot()::text").At(0, 0).Text());
}

std::int64_t OutboxTable::Now(Session& session) const {
  return session.Exec("SELECT clock_timestamp()").At(0, 0).Integer();
}

std::vector<Row> OutboxTable::Poll(Session& session, std::optional<std::int64_t> created_from,
                                   const Exclusions& exclusions) const {
  const Result result = CheapOrCareful([&](bool careful) {
    return session.Exec(poll_, {Timestamp(created_from.value_or(kMinusInfinity)),
                                TextArray(exclusions.lanes), PausedTopics(exclusions, settings_),
                                Route(settings_), settings_.batch_size + 1, careful});
  });
  std::vector<Row> rows;
  rows.reserve(result.rows());
  for (std::size_t i = 0; i < result.rows(); ++i) {
    rows.push_back(ReadRow(result, i));
    ReadPosition(result, i, 6, rows.back());
  }
  std::sort(rows.begin(), rows.end(), ComesBefore);
  return rows;
}

void OutboxTable::OpenBacklog(Session& session, const Exclusions& exclusions) const {
  CheapOrCareful([&](bool careful) {
    DeclareBacklog(session, {TextArray(exclusions.lanes), PausedTopics(exclusions, settings_),
                             Route(settings_), careful});
    return 0;
  });
}

void OutboxTable::DeclareBacklog(Session& session,
                                 std::initializer_list<Parameter> parameters) const {
  session.Begin(SUMMA_SQL_READ_ONLY);
  try {
    // The list of a very large backlog takes its time, and it is made once.
    session.Exec("SET LOCAL statement_timeout = 0");
    session.Exec("SET LOCAL work_mem = '64MB'");
    // Every row is looked up once: compiling costs more than it saves, a cache only memory.
    session.Exec("SET LOCAL jit = off");
    session.Exec("SET LOCAL enable_memoize = off");
    session.Exec(backlog_, parameters);
    session.Commit();  // the cursor is filled here
  } catch (const Error&) {
    session.Rollback();
    throw;
  }
}

std::vector<Row> OutboxTable::NextPage(Session& session, std::size_t* fetched) const {
  const Result page = session.Exec(next_page_);
  *fetched = page.rows();
  if (page.rows() == 0) return {};
  std::vector<Uuid> ids;
  ids.reserve(page.rows());
  for (std::size_t i = 0; i < page.rows(); ++i) ids.push_back(page.At(i, 0).AsUuid());
  const Result result = session.Exec(fetch_, {UuidArray(ids)});
  std::vector<Row> rows;
  rows.reserve(result.rows());
  // Both are in the order of the page: one walk brings them together.
  std::size_t at = 0;
  for (std::size_t i = 0; i < result.rows(); ++i) {
    rows.push_back(ReadRow(result, i));
    while (at < ids.size() && ids[at] != rows.back().id) ++at;
    if (at < ids.size()) ReadPosition(page, at, 1, rows.back());
  }
  return rows;
}

void OutboxTable::CloseBacklog(Session& session) const { session.Exec("CLOSE summa_backlog"); }

void OutboxTable::CheckPrivileges(Session& session) const {
  // Every statement that a delivery may need, for a row that is not there, and nothing of it is
  // kept.
  const Row nobody;
  session.Begin();
  Mark(session, {});
  CountRetry(session, nobody.id, "");
  DeadLetter(session, nobody, "");
  session.Exec(Statement(sql::block_key), {"", "", UuidValue(nobody.id), "", ""});
  RecordDelivery(session);
  session.Rollback();
}

std::int64_t OutboxTable::Mark(Session& session, std::span<const Uuid> ids) const {
  return session.Exec(mark_, {UuidArray(ids)}).affected_rows();
}

void OutboxTable::CountRetry(Session& session, const Uuid& id, const std::string& error) const {
  session.Exec(Statement(sql::retry), {UuidValue(id), error});
}

bool OutboxTable::DeadLetter(Session& session, const Row& row, const std::string& error) const {
  const bool moved =
      session.Exec(Statement(sql::dead_letter), {UuidValue(row.id), error}).affected_rows() > 0;
  if (moved && settings_.block_key_on_dead_letter) {
    session.Exec(Statement(sql::block_key),
                 {settings_.StreamOf(row.topic), row.key, UuidValue(row.id), row.topic, error});
  }
  return moved;
}

void OutboxTable::RecordDelivery(Session& session) const {
  session.Exec(
      "INSERT INTO summa_host.outbox_state AS s (id, own_since, last_delivered_at) "
      "VALUES (1, clock_timestamp(), clock_timestamp()) "
      "ON CONFLICT (id) DO UPDATE SET last_delivered_at = excluded.last_delivered_at, "
      "own_since = COALESCE(s.own_since, excluded.own_since)");
}

std::int64_t OutboxTable::DeleteDelivered(Session& session,
                                          std::int64_t retention_microseconds) const {
  return session.Exec(Statement(sql::cleanup), {retention_microseconds}).affected_rows();
}

bool OutboxTable::Redrive(Session& session, const std::string& id) const {
  return session.Exec(Statement(sql::redrive), {id}).At(0, 0).Integer() > 0;
}

std::vector<std::string> OutboxTable::BlockedLanes(Session& session) const {
  const Result result = session.Exec("SELECT stream, key FROM summa_host.outbox_blocked_key");
  std::vector<std::string> lanes;
  for (std::size_t i = 0; i < result.rows(); ++i) {
    lanes.push_back(LaneName(result.At(i, 0).Text(), result.At(i, 1).Text()));
  }
  return lanes;
}

Counts OutboxTable::Count(Session& session) const {
  const Result result = session.Exec(Statement(sql::status));
  Counts counts;
  counts.pending = result.At(0, 0).Integer();
  if (!result.At(0, 1).null()) counts.oldest_pending_age_seconds = result.At(0, 1).Real();
  counts.processed = result.At(0, 2).Integer();
  counts.failed = result.At(0, 3).Integer();
  counts.dead_letters = result.At(0, 4).Integer();
  counts.blocked_keys = result.At(0, 5).Integer();
  counts.last_delivered_at = result.At(0, 6).Text();
  return counts;
}

Counts OutboxTable::CountPending(Session& session) const {
  const Result result = session.Exec(
      "SELECT count(*), extract(epoch FROM clock_timestamp() - min(created_at))::float8 FROM ("
      "SELECT created_at FROM outbox WHERE status = 'pending' AND (processed_at IS NULL) IS "
      "TRUE ORDER BY created_at LIMIT " +
      std::to_string(kCountLimit) + ") waiting");
  Counts counts;
  counts.pending = result.At(0, 0).Integer();
  if (!result.At(0, 1).null()) counts.oldest_pending_age_seconds = result.At(0, 1).Real();
  return counts;
}

}  // namespace summa::outbox
