#include "open_writers.hpp"

#include <algorithm>

namespace summa::ledger {
namespace {

StoredEvent EventOf(const Result& found, std::size_t row) {
  StoredEvent event;
  event.position = found.At(row, 0).Integer();
  event.id = found.At(row, 1).AsUuid();
  event.aggregate_type = found.At(row, 2).Text();
  event.aggregate_id = found.At(row, 3).AsUuid();
  event.version = found.At(row, 4).Integer();
  event.event_type = found.At(row, 5).Text();
  event.event_data = found.At(row, 6).Text();
  event.correlation_id = found.At(row, 7).Text();
  event.hash = found.At(row, 8).Text();
  const Cell previous = found.At(row, 9);
  if (!previous.null()) event.previous_hash = previous.Text();
  event.created_at = found.At(row, 10).Integer();
  return event;
}

std::string Columns(const EventTable& t) {
  return "e." + t.position + "::bigint AS place, e.id, e.aggregate_type, e.aggregate_id, e." +
         t.version + "::bigint, e.event_type, e.event_data::text, e.correlation_id::text, e." +
         t.hash + ", e." + t.previous_hash + ", e.created_at";
}

}  // namespace

EventReader::EventReader(EventTable table, Checkpoint from, Limits limits)
    : table_(std::move(table)),
      checkpoint_(std::move(from)),
      limits_(limits),
      owned_(checkpoint_.holes.size()) {}

// Locks first: a writer that is gone by now can show nothing new to a statement that starts after.
void EventReader::AskOwners(Session& session) {
  oldest_writer_.reset();
  if (checkpoint_.holes.empty()) return;
  const OpenWriters open = AskOpenWriters(session, table_);
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
  std::vector<std::int64_t> from, to;
  from.reserve(checkpoint_.holes.size());
  to.reserve(checkpoint_.holes.size());
  for (const Checkpoint::Hole& hole : checkpoint_.holes) {
    from.push_back(hole.from);
    to.push_back(hole.to);
  }
  const std::string columns = Columns(table_), limit = std::to_string(limits_.batch);
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
  AskOwners(session);
  const Result found = Fetch(session, checkpoint_.holes.size() > limits_.most_holes);
  std::vector<std::int64_t> seen;
  seen.reserve(found.rows());
  for (std::size_t row = 0; row < found.rows(); ++row) {
    const StoredEvent event = EventOf(found, row);
    deliver(event);
    seen.push_back(event.position);
  }
  Advance(seen, found.rows() < static_cast<std::size_t>(limits_.batch));
  return static_cast<int>(found.rows());
}

// `complete`: the statement gave all it saw, so a hole without an owner cannot be filled any more.
void EventReader::Advance(const std::vector<std::int64_t>& seen, bool complete) {
  std::vector<Checkpoint::Hole> holes;
  std::vector<Owned> owned;
  const auto keep = [&](std::int64_t from, std::int64_t to, const Owned& of) {
    if (from > to) return;
    holes.push_back({from, to});
    owned.push_back(of);
  };
  // What the holes have lost, and whether what is left can still come.
  const std::int64_t reached = complete || seen.empty() ? INT64_MAX : seen.back();
  for (std::size_t i = 0; i < checkpoint_.holes.size(); ++i) {
    const Checkpoint::Hole& hole = checkpoint_.holes[i];
    const bool closed = owned_[i].known && owned_[i].owners.empty() && hole.to <= reached;
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
