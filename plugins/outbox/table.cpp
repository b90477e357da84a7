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

// Runs it without and, when a payload contained an invalid id, with the full check of every id.
template <typename Function>
auto CheapOrCareful(Function&& run) {
  try {
    return run(false);
  } catch (const Error& error) {
    if (error.sqlstate() != kInvalidText) throw;
  }
  return run(true);
}

// The columns of a row that is to be sent, found once for a page of them. Manual changes or a
// repair may have left a NULL in the ledger's own table: that must not keep the others waiting.
class RowColumns {
 public:
  explicit RowColumns(const Result& result)
      : id_(result.Bind<Uuid>("id")),
        topic_(result.Bind<MaybeText>("topic")),
        payload_(result.Bind<MaybeText>("payload")),
        created_at_(result.Bind<DatabaseTime>("created_at")),
        retry_count_(result.Bind<std::optional<std::int64_t>>("retry_count")),
        key_(result.Bind<std::string>("key")) {}

  Row Read(const summa::Row& from) const {
    Row row;
    row.id = from.Get(id_);
    row.topic = from.Get(topic_).value_or("");
    row.payload = from.Get(payload_).value_or("");
    row.created_at = InCalendar(from.Get(created_at_));
    row.retry_count = std::max<std::int64_t>(0, from.Get(retry_count_).value_or(0));
    row.key = from.Get(key_);
    return row;
  }

 private:
  using MaybeText = std::optional<std::string_view>;

  Column<Uuid> id_;
  Column<MaybeText> topic_, payload_;
  Column<DatabaseTime> created_at_;
  Column<std::optional<std::int64_t>> retry_count_;
  Column<std::string> key_;
};

// The place of a row in the ledger, when its event is known.
class PlaceColumns {
 public:
  explicit PlaceColumns(const Result& result)
      : position_(result.Bind<std::optional<std::int64_t>>("position")),
        correlation_id_(result.Bind<std::optional<std::string_view>>("correlation_id")) {}

  void Read(const summa::Row& from, Row& row) const {
    row.position = from.Get(position_);
    row.correlation_id = from.Get(correlation_id_).value_or("");
  }

 private:
  Column<std::optional<std::int64_t>> position_;
  Column<std::optional<std::string_view>> correlation_id_;
};

std::vector<Uuid> ReadIds(const Result& result) {
  std::vector<Uuid> ids;
  ids.reserve(result.rows());
  const auto id = result.Bind<Uuid>("id");
  for (const summa::Row row : result) ids.push_back(row.Get(id));
  return ids;
}

std::vector<Lane> ReadLanes(const Result& result) {
  std::vector<Lane> lanes;
  lanes.reserve(result.rows());
  for (const summa::Row row : result) {
    lanes.push_back({row.Get<std::string>("stream"), row.Get<std::string>("key")});
  }
  return lanes;
}

std::vector<TopicCount> ReadTopicCounts(const Result& result) {
  std::vector<TopicCount> counts;
  counts.reserve(result.rows());
  for (const summa::Row row : result) {
    counts.push_back({row.Get<std::optional<std::string>>("topic").value_or(""),
                      row.Get<std::int64_t>("messages"), row.Get<double>("oldest_age")});
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
  return session.Exec("SELECT pg_current_snapshot()::text").Value<std::string>();
}

DatabaseTime OutboxTable::Now(Session& session) const {
  return session.Exec("SELECT clock_timestamp()").Value<DatabaseTime>();
}

OpenTransactions OutboxTable::ReadOpenTransactions(Session& session) const {
  const Result result = session.Exec(Statement(sql::open_transactions));
  OpenTransactions open;
  open.server_time = result[0].Get<DatabaseTime>("server_time");
  auto names = result[0].Get<std::string_view>("names");
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
                  SeveralSinks() || range.needs_sent_rows});
    }
    return session.Exec(observe_, {from, Timestamp(range.settled_from), settings_.sink,
                                   PausedTopics(range), settings_.batch_size + 1, careful});
  });
  std::vector<Row> rows;
  rows.reserve(result.rows());
  const RowColumns columns(result);
  const PlaceColumns place(result);
  for (const summa::Row row : result) {
    rows.push_back(columns.Read(row));
    place.Read(row, rows.back());
  }
  std::sort(rows.begin(), rows.end(), ComesBefore);
  return rows;
}

void OutboxTable::OpenBacklog(Session& session, Keeping keeping, const Range& range) const {
  CheapOrCareful([&](bool careful) {
    if (keeping == Keeping::kOwn) {
      DeclareBacklog(
          session, backlog_,
          {settings_.sink, PausedTopics(range), careful, SeveralSinks() || range.needs_sent_rows});
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
  const std::vector<Uuid> ids = ReadIds(page);
  const PlaceColumns place(page);
  const Result result = session.Exec(fetch_, {UuidArray(ids), keeping != Keeping::kOwn});
  std::vector<Row> rows;
  rows.reserve(result.rows());
  const RowColumns columns(result);
  // Both are in the order of the page: one pass combines them.
  std::size_t at = 0;
  for (const summa::Row row : result) {
    rows.push_back(columns.Read(row));
    while (at < ids.size() && ids[at] != rows.back().id) ++at;
    if (at < ids.size()) place.Read(page[at], rows.back());
  }
  return rows;
}

void OutboxTable::CloseBacklog(Session& session) const { session.Exec("CLOSE summa_backlog"); }

WaitingRows OutboxTable::ReadWaiting(Session& session, Keeping keeping, std::span<const Lane> lanes,
                                     bool needs_sent_rows) const {
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
  const bool with_sent = needs_sent_rows || SeveralSinks() || keeping != Keeping::kOwn;
  const Result result =
      session.Exec(Statement(sql::waiting), {settings_.sink, TextArray(streams), TextArray(keys),
                                             each, keeping != Keeping::kOwn, with_sent});
  WaitingRows waiting;
  waiting.rows.reserve(result.rows());
  const RowColumns columns(result);
  const PlaceColumns place(result);
  for (const summa::Row row : result) {
    unseen.erase(LaneName(row.Get<std::string_view>("stream"), row.Get<std::string_view>("key")));
    if (!row.Get<bool>("to_send")) {
      waiting.done.push_back(row.Get<Uuid>("id"));
      continue;
    }
    waiting.rows.push_back(columns.Read(row));
    place.Read(row, waiting.rows.back());
    waiting.rows.back().redriven = row.Get<bool>("redriven");
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
  return SeveralSinks() ? all : marked.Value<std::int64_t>();
}

std::vector<Uuid> OutboxTable::ReadComplete(Session& session, std::int64_t limit) const {
  return ReadIds(session.Exec(Statement(sql::complete), {TextArray(settings_.sinks), limit}));
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
  const auto time = [&](std::string_view name) {
    return result[0].Get<std::optional<DatabaseTime>>(name);
  };
  state.observe_since = time("observe_since");
  state.observed_until = time("observed_until");
  state.own_since = time("own_since");
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
  const summa::Row row = result[0];
  counts.pending = row.Get<std::int64_t>("pending");
  counts.oldest_pending_age_seconds = row.Get<std::optional<double>>("oldest_pending_age");
  counts.processed = row.Get<std::int64_t>("processed");
  counts.failed = row.Get<std::int64_t>("failed");
  counts.dead_letters = row.Get<std::int64_t>("dead_letters");
  counts.blocked_keys = row.Get<std::int64_t>("blocked_keys");
  counts.last_delivered_at = row.Get<std::optional<std::string>>("last_delivered_at").value_or("");
  return counts;
}

std::vector<TopicCount> OutboxTable::CountPending(Session& session) const {
  return ReadTopicCounts(session.Exec(
      "SELECT topic::text, count(*) AS messages, " + std::string(kOldestAge) +
      " AS oldest_age "
      "FROM (SELECT topic, created_at FROM outbox WHERE status = 'pending' AND (processed_at IS "
      "NULL) IS TRUE ORDER BY created_at LIMIT " +
      std::to_string(kCountLimit) + ") waiting GROUP BY topic"));
}

std::vector<TopicCount> OutboxTable::CountDeadLetters(Session& session) const {
  return ReadTopicCounts(session.Exec(
      "SELECT topic::text, count(*) AS messages, " + std::string(kOldestAge) +
      " AS oldest_age "
      "FROM (SELECT topic, created_at FROM dead_letter_queue WHERE resolved_at IS NULL LIMIT " +
      std::to_string(kCountLimit) + ") letters GROUP BY topic"));
}

}  // namespace summa::outbox
