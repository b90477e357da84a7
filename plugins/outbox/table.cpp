#include "table.hpp"

#include <algorithm>
#include <map>

#include "outbox_sql.hpp"

namespace summa::outbox {
namespace {

constexpr std::string_view kInvalidText = "22P02";  // SQLSTATE of a cast that failed

// Of rows that have an age: a time may be infinite.
constexpr std::string_view kOldestAge =
    "COALESCE(extract(epoch FROM clock_timestamp() - "
    "min(created_at) FILTER (WHERE isfinite(created_at)))::float8, 0)";

constexpr std::int64_t kUnknownPosition = INT64_MAX;  // in park.sql

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
  out.created_at = InCalendar(result.At(row, 3).Time());
  out.retry_count = std::max<std::int64_t>(0, result.At(row, 4).Integer());
  out.key = result.At(row, 5).Text();
  return out;
}

void ReadPosition(const Result& result, std::size_t row, std::size_t column, Row& out) {
  const Cell position = result.At(row, column);
  if (!position.null()) out.position = position.Integer();
  out.correlation_id = result.At(row, column + 1).Text();
}

std::vector<Lane> ReadLanes(const Result& result) {
  std::vector<Lane> lanes;
  lanes.reserve(result.rows());
  for (std::size_t i = 0; i < result.rows(); ++i) {
    lanes.push_back({std::string(result.At(i, 0).Text()), std::string(result.At(i, 1).Text())});
  }
  return lanes;
}

std::vector<TopicCount> ReadTopicCounts(const Result& result) {
  std::vector<TopicCount> counts;
  counts.reserve(result.rows());
  for (std::size_t i = 0; i < result.rows(); ++i) {
    counts.push_back(
        {std::string(result.At(i, 0).Text()), result.At(i, 1).Integer(), result.At(i, 2).Real()});
  }
  return counts;
}

}  // namespace

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

OutboxTable::OutboxTable(Settings settings)
    : settings_(std::move(settings)),
      poll_(Statement(sql::poll)),
      observe_(Statement(sql::observe)),
      backlog_(Statement(sql::backlog)),
      observe_backlog_(Statement(sql::observe_backlog)),
      fetch_(Statement(sql::fetch)),
      mark_(Statement(sql::mark)),
      next_page_("FETCH FORWARD " + std::to_string(settings_.batch_size) + " FROM summa_backlog") {}

// With one stream, pausing it pauses everything: the processor does not poll then.
Parameter OutboxTable::PausedTopics(const Range& range) const {
  const std::vector<std::string> none;
  return TextArray(settings_.route == "topic" ? range.paused_streams : none);
}

std::string OutboxTable::Snapshot(Session& session) const {
  return std::string(session.Exec("SELECT pg_current_snapshot()::text").At(0, 0).Text());
}

DatabaseTime OutboxTable::Now(Session& session) const {
  return session.Exec("SELECT clock_timestamp()").At(0, 0).Time();
}

OpenTransactions OutboxTable::ReadOpenTransactions(Session& session) const {
  const Result result = session.Exec(Statement(sql::open_transactions));
  OpenTransactions open;
  open.server_time = result.At(0, 0).Time();
  std::string_view names = result.At(0, 1).Text();
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(' '), names.size());
    open.names.emplace_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return open;
}

std::vector<Row> OutboxTable::Poll(Session& session, Keeping keeping, const Range& range) const {
  const Parameter from = Timestamp(range.created_from.value_or(DatabaseTime::min()));
  const Result result = CheapOrCareful([&](bool careful) {
    if (keeping == Keeping::kOwn) {
      return session.Exec(
          poll_, {from, settings_.sink, PausedTopics(range), settings_.batch_size + 1, careful,
                  SeveralSinks() || range.ask_sent});
    }
    return session.Exec(observe_, {from, Timestamp(range.settled_from), settings_.sink,
                                   PausedTopics(range), settings_.batch_size + 1, careful});
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

void OutboxTable::OpenBacklog(Session& session, Keeping keeping, const Range& range) const {
  CheapOrCareful([&](bool careful) {
    if (keeping == Keeping::kOwn) {
      DeclareBacklog(
          session, backlog_,
          {settings_.sink, PausedTopics(range), careful, SeveralSinks() || range.ask_sent});
    } else {
      DeclareBacklog(session, observe_backlog_,
                     {settings_.sink, PausedTopics(range), careful, Timestamp(range.settled_from)});
    }
    return 0;
  });
}

void OutboxTable::DeclareBacklog(Session& session, std::string_view statement,
                                 std::initializer_list<Parameter> parameters) const {
  session.Begin(SUMMA_SQL_READ_ONLY);
  try {
    // The list of a very large backlog takes its time, and it is made once.
    session.Exec("SET LOCAL statement_timeout = 0");
    session.Exec("SET LOCAL work_mem = '64MB'");
    // Every row is looked up once: compiling costs more than it saves, a cache only memory.
    session.Exec("SET LOCAL jit = off");
    session.Exec("SET LOCAL enable_memoize = off");
    session.Exec(statement, parameters);
    session.Commit();  // the cursor is filled here
  } catch (const Error&) {
    session.Rollback();
    throw;
  }
}

std::vector<Row> OutboxTable::NextPage(Session& session, Keeping keeping,
                                       std::size_t* fetched) const {
  const Result page = session.Exec(next_page_);
  *fetched = page.rows();
  if (page.rows() == 0) return {};
  std::vector<Uuid> ids;
  ids.reserve(page.rows());
  for (std::size_t i = 0; i < page.rows(); ++i) ids.push_back(page.At(i, 0).AsUuid());
  const Result result = session.Exec(fetch_, {UuidArray(ids), keeping != Keeping::kOwn});
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

WaitingRows OutboxTable::ReadWaiting(Session& session, Keeping keeping, std::span<const Lane> lanes,
                                     bool ask_sent) const {
  std::vector<std::string> streams, keys;
  std::map<std::string, Lane> unseen;
  streams.reserve(lanes.size());
  keys.reserve(lanes.size());
  for (const Lane& lane : lanes) {
    streams.push_back(lane.stream);
    keys.push_back(lane.key);
    unseen.emplace(LaneName(lane), lane);
  }
  const std::int64_t each = std::max<std::int64_t>(
      1, settings_.batch_size / static_cast<std::int64_t>(std::max<std::size_t>(1, lanes.size())));
  const bool ask = ask_sent || SeveralSinks() || keeping != Keeping::kOwn;
  const Result result = session.Exec(
      Statement(sql::waiting),
      {settings_.sink, TextArray(streams), TextArray(keys), each, keeping != Keeping::kOwn, ask});
  WaitingRows waiting;
  waiting.rows.reserve(result.rows());
  for (std::size_t i = 0; i < result.rows(); ++i) {
    unseen.erase(LaneName(result.At(i, 10).Text(), result.At(i, 5).Text()));
    if (!result.At(i, 9).Boolean()) {
      waiting.done.push_back(result.At(i, 0).AsUuid());
      continue;
    }
    waiting.rows.push_back(ReadRow(result, i));
    ReadPosition(result, i, 6, waiting.rows.back());
    waiting.rows.back().redriven = result.At(i, 8).Boolean();
  }
  waiting.empty.reserve(unseen.size());
  for (auto& [name, lane] : unseen) waiting.empty.push_back(std::move(lane));
  return waiting;
}

std::vector<Lane> OutboxTable::WaitingLanes(Session& session) const {
  return ReadLanes(session.Exec(Statement(sql::waiting_lanes), {settings_.sink}));
}

std::vector<Lane> OutboxTable::BlockedLanes(Session& session) const {
  return ReadLanes(session.Exec("SELECT stream, key FROM summa_host.outbox_blocked_key"));
}

void OutboxTable::CheckPrivileges(Session& session) const {
  // Every statement that a delivery may need, for a row that is not there, and nothing of it is
  // kept.
  const Row nobody;
  session.Begin();
  if (!settings_.observe) {
    Mark(session, {});
    CountAttempt(session, Keeping::kOwn, nobody, "");
    DeadLetter(session, Keeping::kOwn, nobody, "");
  }
  session.Exec(Statement(sql::block_key), {"", "", UuidValue(nobody.id), "", ""});
  Remember(session, {});
  Park(session, {});
  RecordDelivery(session, settings_.observe ? Keeping::kObserve : Keeping::kOwn);
  session.Rollback();
}

std::int64_t OutboxTable::Mark(Session& session, std::span<const Uuid> ids) const {
  return session.Exec(mark_, {UuidArray(ids)}).affected_rows();
}

void OutboxTable::Remember(Session& session, std::span<const Uuid> ids) const {
  session.Exec(Statement(sql::remember), {settings_.sink, UuidArray(ids)});
}

std::int64_t OutboxTable::Settle(Session& session, Keeping keeping,
                                 std::span<const Uuid> ids) const {
  if (keeping == Keeping::kOwn && !SeveralSinks()) return Mark(session, ids);
  Remember(session, ids);
  const auto all = static_cast<std::int64_t>(ids.size());
  if (keeping == Keeping::kObserve) return all;
  const Result marked =
      session.Exec(Statement(sql::mark_complete),
                   {UuidArray(ids), TextArray(settings_.sinks), keeping == Keeping::kHandOver});
  return SeveralSinks() ? all : marked.At(0, 0).Integer();
}

std::vector<Uuid> OutboxTable::ReadComplete(Session& session, std::int64_t limit) const {
  const Result result = session.Exec(Statement(sql::complete), {TextArray(settings_.sinks), limit});
  std::vector<Uuid> ids;
  ids.reserve(result.rows());
  for (std::size_t i = 0; i < result.rows(); ++i) ids.push_back(result.At(i, 0).AsUuid());
  return ids;
}

void OutboxTable::Park(Session& session, std::span<const ParkedRow> rows) const {
  std::vector<Uuid> ids;
  std::vector<std::string> streams, keys, correlation_ids;
  std::vector<std::int64_t> positions;
  ids.reserve(rows.size());
  streams.reserve(rows.size());
  keys.reserve(rows.size());
  correlation_ids.reserve(rows.size());
  positions.reserve(rows.size());
  for (const ParkedRow& row : rows) {
    ids.push_back(row.id);
    streams.push_back(row.lane.stream);
    keys.push_back(row.lane.key);
    positions.push_back(row.position.value_or(kUnknownPosition));
    correlation_ids.push_back(row.correlation_id);
  }
  session.Exec(Statement(sql::park),
               {settings_.sink, UuidArray(ids), TextArray(streams), TextArray(keys),
                IntegerArray(positions), TextArray(correlation_ids)});
}

void OutboxTable::Unpark(Session& session, std::span<const Uuid> ids) const {
  session.Exec(Statement(sql::leave), {settings_.sink, UuidArray(ids)});
}

void OutboxTable::CountAttempt(Session& session, Keeping keeping, const Row& row,
                               const std::string& error) const {
  if (keeping == Keeping::kOwn) {
    session.Exec(Statement(sql::retry), {UuidValue(row.id), error});
  } else {
    session.Exec(Statement(sql::attempt), {settings_.sink, UuidValue(row.id)});
  }
}

void OutboxTable::DeadLetter(Session& session, Keeping keeping, const Row& row,
                             const std::string& error) const {
  if (keeping == Keeping::kOwn) {
    const bool moved =
        session.Exec(Statement(sql::dead_letter), {UuidValue(row.id), error}).affected_rows() > 0;
    if (!moved) return;
    // A dead letter is one for every sink that lacks the row.
    session.Exec("DELETE FROM summa_host.outbox_waiting WHERE outbox_id = $1", {UuidValue(row.id)});
  }
  if (settings_.block_key_on_dead_letter) {
    session.Exec(Statement(sql::block_key),
                 {settings_.StreamOf(row.topic), row.key, UuidValue(row.id), row.topic, error});
  } else if (keeping != Keeping::kOwn) {
    session.Exec(Statement(sql::give_up), {settings_.sink, UuidValue(row.id), error});
    Unpark(session, std::span(&row.id, 1));
  }
}

void OutboxTable::RecordDelivery(Session& session, Keeping keeping) const {
  session.Exec(Statement(sql::delivery), {settings_.sink, keeping != Keeping::kObserve});
}

SinkState OutboxTable::ReadSink(Session& session) const {
  const Result result = session.Exec(
      "SELECT observe_since, observed_until, own_since FROM summa_host.outbox_sink WHERE sink = $1",
      {settings_.sink});
  SinkState state;
  if (result.rows() == 0) return state;
  const auto time = [&](std::size_t column) {
    const Cell cell = result.At(0, column);
    return cell.null() ? std::optional<DatabaseTime>() : cell.Time();
  };
  state.observe_since = time(0);
  state.observed_until = time(1);
  state.own_since = time(2);
  return state;
}

void OutboxTable::Reroute(Session& session) const {
  const Parameter route = settings_.route == "topic" ? Parameter(nullptr) : settings_.route;
  session.Exec(Statement(sql::reroute_waiting), {settings_.sink, route});
  session.Exec(Statement(sql::reroute_blocked), {route});
}

void OutboxTable::BeginObserving(Session& session, std::chrono::microseconds history) const {
  session.Exec(Statement(sql::begin_observing), {settings_.sink, history.count()});
}

void OutboxTable::RecordObserved(Session& session, DatabaseTime until) const {
  session.Exec("UPDATE summa_host.outbox_sink SET observed_until = $2 WHERE sink = $1",
               {settings_.sink, Timestamp(until)});
}

void OutboxTable::EndHandOver(Session& session) const {
  session.Exec(
      "UPDATE summa_host.outbox_sink SET observe_since = NULL, observed_until = NULL "
      "WHERE sink = $1",
      {settings_.sink});
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

std::vector<TopicCount> OutboxTable::CountPending(Session& session) const {
  return ReadTopicCounts(session.Exec(
      "SELECT topic, count(*), " + std::string(kOldestAge) +
      " "
      "FROM (SELECT topic, created_at FROM outbox WHERE status = 'pending' AND (processed_at IS "
      "NULL) IS TRUE ORDER BY created_at LIMIT " +
      std::to_string(kCountLimit) + ") waiting GROUP BY topic"));
}

std::vector<TopicCount> OutboxTable::CountDeadLetters(Session& session) const {
  return ReadTopicCounts(session.Exec(
      "SELECT topic, count(*), " + std::string(kOldestAge) +
      " "
      "FROM (SELECT topic, created_at FROM dead_letter_queue WHERE resolved_at IS NULL LIMIT " +
      std::to_string(kCountLimit) + ") letters GROUP BY topic"));
}

}  // namespace summa::outbox
