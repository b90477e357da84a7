#include "tests/demo/summary.hpp"

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "tests/demo/text.hpp"
#include "tests/services/db.hpp"

namespace summa::demo {
namespace {

constexpr std::int64_t kNoPosition = -1;

// Where a row stands, as the ledger itself has it.
struct Sent {
  Lane lane;
  std::int64_t position = kNoPosition;
};
using SentRows = std::unordered_map<Uuid, Sent, Hash>;

// A row whose event is not found, or found twice, has no position: nothing can be said of it.
SentRows ReadSent(test::Db& db) {
  SentRows sent;
  for (const test::Row& row :
       db.Query("SELECT id, topic, ordering_key, CASE WHEN count(*) = 1 THEN min(position) END"
                " FROM fixture.outbox_position GROUP BY id, topic, ordering_key")) {
    Sent& one = sent[ParseUuid(row[0]).value_or(Uuid{})];
    one.lane.topic = TopicNumber(row[1]);
    one.lane.key = ParseUuid(row[2]).value_or(Uuid{});
    if (row[3] != test::kNull) one.position = std::stoll(row[3]);
  }
  return sent;
}

void Compare(const SentRows& sent, const std::vector<Arrival>& arrivals, Proof& proof) {
  std::unordered_set<Uuid, Hash> received;
  std::unordered_map<Lane, std::int64_t, Hash> last_position;
  for (const Arrival& arrival : arrivals) {
    if (!received.insert(arrival.id).second) {
      ++proof.duplicates;
      continue;
    }
    const auto found = sent.find(arrival.id);
    if (found == sent.end()) {
      ++proof.unknown;
      continue;
    }
    const Sent& row = found->second;
    if (arrival.lane != row.lane || arrival.position != row.position ||
        row.position == kNoPosition) {
      ++proof.wrong_fields;
    }
    std::int64_t& last = last_position.try_emplace(row.lane, kNoPosition).first->second;
    if (row.position < last) ++proof.out_of_order;
    if (row.position > last) last = row.position;
  }
  proof.received = static_cast<long long>(received.size());
  for (const auto& [id, row] : sent) {
    if (received.count(id) == 0) ++proof.lost;
  }
}

}  // namespace

Proof Prove(const std::string& ledger_url, const Consumer& consumer) {
  Proof proof;
  test::Db db(ledger_url);
  Compare(ReadSent(db), consumer.Arrivals(), proof);
  // Counted on its own, so that the set above cannot hide a row.
  proof.sent = db.Count("SELECT count(*) FROM outbox");
  proof.pending = db.Count("SELECT count(*) FROM outbox WHERE status = 'pending'");
  proof.wrongly_marked = db.Count(
      "SELECT count(*) FROM outbox WHERE status <> 'pending' AND NOT (status = 'processed'"
      " AND processed_at IS NOT NULL AND last_error IS NULL)");
  proof.dead_letters = db.Count("SELECT count(*) FROM dead_letter_queue");
  const ConsumerCounts counts = consumer.Counts();
  proof.malformed = counts.malformed;
  proof.messages = counts.messages;
  const HeldMessages held = consumer.Held();
  proof.in_streams = held.messages;
  proof.unacknowledged = held.unacknowledged;
  return proof;
}

std::vector<std::string> Findings(const Proof& proof, int host_exit_code) {
  std::vector<std::string> findings;
  const auto none = [&](long long count, const char* what) {
    if (count != 0) findings.push_back(Grouped(count) + " " + what);
  };
  if (proof.sent == 0) findings.emplace_back("no event was sent, so nothing is proved");
  none(proof.pending, "events are still to deliver");
  none(proof.lost, "events were sent and not received");
  none(proof.unknown, "events were received that the ledger does not have");
  none(proof.out_of_order, "events came after a later one of their stream and key");
  none(proof.wrong_fields, "events came with another stream, key or position than the ledger's");
  none(proof.wrongly_marked, "rows are not marked as delivered rows are");
  none(proof.dead_letters, "events went to the dead letter queue");
  none(proof.malformed, "messages are no events");
  none(proof.unacknowledged, "messages were not acknowledged");
  none(proof.in_streams - proof.messages, "messages of the streams did not reach the consumer");
  if (host_exit_code != 0) {
    findings.push_back("the host ended with " + std::to_string(host_exit_code) + " instead of 0");
  }
  return findings;
}

std::string SummaryText(const Proof& proof, const Percentiles& latency,
                        const std::vector<std::string>& findings) {
  std::string text =
      "sent " + Grouped(proof.sent) + "  received " + Grouped(proof.received) + "  pending " +
      Grouped(proof.pending) + "  lost " + Grouped(proof.lost) + "  duplicated " +
      Grouped(proof.duplicates) + "  out of order " + Grouped(proof.out_of_order) +
      "\nlatency commit -> consumer: " + ToText(latency) +
      "\n  measured for every event from PostgreSQL's commit time to the return of the\n"
      "  consumer's read, on one machine by one clock; PostgreSQL runs without fsync\n";
  if (findings.empty()) {
    text += proof.duplicates == 0 ? "verdict: every event arrived, once and in order\n"
                                  : "verdict: every event arrived, in order; some more than once\n";
    return text;
  }
  text += "verdict: not every event arrived as it must\n";
  for (const std::string& finding : findings) text += "  " + finding + "\n";
  return text;
}

}  // namespace summa::demo
