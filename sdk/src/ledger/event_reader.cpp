#include "guard.hpp"
#include "open_writers.hpp"

#include <algorithm>
#include <utility>

namespace summa::ledger {
namespace {

// The columns of an event, found once for a page of them.
class EventColumns {
 public:
  static std::string Select(const EventTable& t) {
    return "e." + t.position + "::bigint AS place, e.id, e.aggregate_type, e.aggregate_id, e." +
           t.version +
           "::bigint AS version, e.event_type, e.event_data::text, e.correlation_id::text, e." +
           t.hash + " AS hash, e." + t.previous_hash + " AS previous_hash, e.created_at";
  }
  explicit EventColumns(const Result& found)
      : position_(found.Bind<std::int64_t>("place")),
        id_(found.Bind<Uuid>("id")),
        aggregate_type_(found.Bind<std::string_view>("aggregate_type")),
        aggregate_id_(found.Bind<Uuid>("aggregate_id")),
        version_(found.Bind<std::int64_t>("version")),
        event_type_(found.Bind<std::string_view>("event_type")),
        event_data_(found.Bind<std::string_view>("event_data")),
        correlation_id_(found.Bind<std::optional<std::string_view>>("correlation_id")),
        hash_(found.Bind<std::string_view>("hash")),
        previous_hash_(found.Bind<std::optional<std::string_view>>("previous_hash")),
        created_at_(found.Bind<DatabaseTime>("created_at")) {}

  StoredEvent Read(const Row& row) const {
    StoredEvent event;
    event.position = row.Get(position_);
    event.id = row.Get(id_);
    event.aggregate_type = row.Get(aggregate_type_);
    event.aggregate_id = row.Get(aggregate_id_);
    event.version = row.Get(version_);
    event.event_type = row.Get(event_type_);
    event.event_data = row.Get(event_data_);
    event.correlation_id = row.Get(correlation_id_).value_or("");
    event.hash = row.Get(hash_);
    event.previous_hash = row.Get(previous_hash_);
    event.created_at = ToMicroseconds(row.Get(created_at_));
    return event;
  }

 private:
  Column<std::int64_t> position_;
  Column<Uuid> id_;
  Column<std::string_view> aggregate_type_;
  Column<Uuid> aggregate_id_;
  Column<std::int64_t> version_;
  Column<std::string_view> event_type_, event_data_;
  Column<std::optional<std::string_view>> correlation_id_;
  Column<std::string_view> hash_;
  Column<std::optional<std::string_view>> previous_hash_;
  Column<DatabaseTime> created_at_;
};

constexpr std::int64_t kNoHole = INT64_MIN;

// Of each hole, for unnest().
std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>> Bounds(
    const std::vector<Checkpoint::Hole>& holes) {
  std::vector<std::int64_t> from, to;
  from.reserve(holes.size());
  to.reserve(holes.size());
  for (const Checkpoint::Hole& hole : holes) {
    from.push_back(hole.from);
    to.push_back(hole.to);
  }
  return {std::move(from), std::move(to)};
}

// Of what is new: how many, their positions, and the first and the last time. One statement, so one
// snapshot for holes and news.
std::string KeysStatement(int batch) {
  const std::string keys = kKeys, limit = std::to_string(batch);
  return "SELECT count(*), coalesce(array_agg(position), '{}')::text AS places, "
         "coalesce(min(created_at)::text, '') AS first, coalesce(max(created_at)::text, '') AS "
         "last FROM (SELECT position, created_at FROM (SELECT k.position, k.created_at FROM "
         "unnest($1::bigint[], $2::bigint[]) AS h (low, high) JOIN " +
         keys +
         " k ON k.position BETWEEN h.low AND h.high UNION ALL (SELECT position, created_at FROM " +
         keys + " WHERE position > $3::bigint ORDER BY position LIMIT " + limit +
         ")) both_kinds ORDER BY position LIMIT " + limit + ") news";
}

// Their positions.
std::vector<std::int64_t> Deliver(const Result& found,
                                  const std::function<void(const StoredEvent&)>& deliver) {
  std::vector<std::int64_t> seen;
  seen.reserve(found.rows());
  const EventColumns columns(found);
  for (const Row row : found) {
    const StoredEvent event = columns.Read(row);
    deliver(event);
    seen.push_back(event.position);
  }
  return seen;
}

}  // namespace

EventReader::EventReader(EventTable table, Checkpoint from, Limits limits)
    : table_(std::move(table)),
      checkpoint_(std::move(from)),
      limits_(limits),
      owned_(checkpoint_.holes.size()) {}

// Locks first: a writer that is gone by now can show nothing new to a statement that starts after.
void EventReader::QueryOwners(Session& session) {
  oldest_writer_.reset();
  if (checkpoint_.holes.empty()) return;
  const OpenWriters open = QueryOpenWriters(session, table_);
  if (open.server_start != server_start_) {
    for (Owned& owned : owned_) owned.known = false;
    server_start_ = open.server_start;
  }
  for (Owned& owned : owned_) {
    std::set<std::string> now;
    for (const OpenWriter& writer : open.writers) {
      const std::string& name = writer.virtual_transaction;
      if (owned.known && owned.owners.count(name) == 0) continue;
      now.insert(name);
      if (!oldest_writer_ || writer.age_microseconds > oldest_writer_->age_microseconds) {
        oldest_writer_ = writer;
      }
    }
    owned.known = true;
    owned.owners = std::move(now);
  }
}

// One statement, so one snapshot for holes and news.
Result EventReader::Fetch(Session& session, bool only_holes) const {
  const auto [from, to] = Bounds(checkpoint_.holes);
  const std::string columns = EventColumns::Select(table_), limit = std::to_string(limits_.batch);
  std::string sql = "SELECT * FROM (SELECT " + columns +
                    " FROM unnest($1::bigint[], $2::bigint[]) AS h (low, high) JOIN " +
                    table_.name + " e ON e." + table_.position + " BETWEEN h.low AND h.high";
  if (!only_holes) {
    sql.append(" UNION ALL (SELECT ").append(columns).append(" FROM ").append(table_.name);
    sql.append(" e WHERE e.").append(table_.position).append(" > $3::bigint ORDER BY e.");
    sql.append(table_.position).append(" LIMIT ").append(limit).append(")");
  }
  sql.append(") both_kinds WHERE $3::bigint IS NOT NULL ORDER BY place LIMIT ").append(limit);
  return session.Exec(sql, {IntegerArray(from), IntegerArray(to), checkpoint_.position});
}

int EventReader::Poll(Session& session, const std::function<void(const StoredEvent&)>& deliver) {
  if (!checked_) RequireOrderedPositions(session, table_);
  checked_ = true;
  if (FindsByKeys(session)) {
    if (const std::optional<int> found = PollByKeys(session, deliver)) return *found;
  }
  return PollEveryPartition(session, deliver);
}

bool EventReader::FindsByKeys(Session& session) {
  const auto now = std::chrono::steady_clock::now();
  if (due_ && now < *due_) return guarded_ && checkpoint_.holes.size() <= limits_.max_holes;
  guarded_ = table_.partitioned && IsGuarded(session, table_);
  due_ = now + limits_.every_partition;
  return false;
}

// Nothing: the keys are not enough.
std::optional<int> EventReader::PollByKeys(Session& session,
                                           const std::function<void(const StoredEvent&)>& deliver) {
  const auto [from, to] = Bounds(checkpoint_.holes);
  const Result keys = session.Exec(KeysStatement(limits_.batch),
                                   {IntegerArray(from), IntegerArray(to), checkpoint_.position});
  const auto count = keys[0].Get<std::int64_t>("count");
  if (count == 0) return 0;
  // Exactly the events that the keys had: what has come since may be earlier in a hole, and is for
  // the next poll. The times are in the statement when it is planned, and leave partitions out.
  const Result found = session.Exec(
      "SELECT " + EventColumns::Select(table_) + " FROM " + table_.name + " e WHERE e." +
          table_.position +
          " = ANY ($1::bigint[]) AND e.created_at >= $2::timestamptz AND e.created_at <= "
          "$3::timestamptz ORDER BY place",
      {keys[0].Get<std::string>("places"), keys[0].Get<std::string>("first"),
       keys[0].Get<std::string>("last")});
  if (found.rows() != static_cast<std::size_t>(count)) return std::nullopt;
  Advance(Deliver(found, deliver), kNoHole);
  return static_cast<int>(count);
}

int EventReader::PollEveryPartition(Session& session,
                                    const std::function<void(const StoredEvent&)>& deliver) {
  QueryOwners(session);
  const Result found = Fetch(session, checkpoint_.holes.size() > limits_.max_holes);
  const std::vector<std::int64_t> seen = Deliver(found, deliver);
  const bool complete = found.rows() < static_cast<std::size_t>(limits_.batch);
  Advance(seen, complete || seen.empty() ? INT64_MAX : seen.back());
  return static_cast<int>(found.rows());
}

// complete_to: up to here the statement gave all it saw, so a hole without an owner cannot be filled
// any more.
void EventReader::Advance(const std::vector<std::int64_t>& seen, std::int64_t complete_to) {
  std::vector<Checkpoint::Hole> holes;
  std::vector<Owned> owned;
  const auto keep = [&](std::int64_t from, std::int64_t to, const Owned& of) {
    if (from > to) return;
    holes.push_back({from, to});
    owned.push_back(of);
  };
  // What the holes have lost, and whether what is left can still come.
  for (std::size_t i = 0; i < checkpoint_.holes.size(); ++i) {
    const Checkpoint::Hole& hole = checkpoint_.holes[i];
    const bool closed = owned_[i].known && owned_[i].owners.empty() && hole.to <= complete_to;
    std::int64_t from = hole.from;
    for (auto at = std::lower_bound(seen.begin(), seen.end(), hole.from);
         at != seen.end() && *at <= hole.to; ++at) {
      if (!closed) keep(from, *at - 1, owned_[i]);
      from = *at + 1;
    }
    if (!closed) keep(from, hole.to, owned_[i]);
  }
  // Numbers that were passed over just now.
  for (const std::int64_t position : seen) {
    if (position <= checkpoint_.position) continue;
    keep(checkpoint_.position + 1, position - 1, {});
    checkpoint_.position = position;
  }
  checkpoint_.holes = std::move(holes);
  owned_ = std::move(owned);
}

}  // namespace summa::ledger
