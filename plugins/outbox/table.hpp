// Every SQL statement of a delivery, behind functions with the names of what they do.
// Works on a session of the caller; holds no state of its own. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <summa/sql.hpp>
#include <utility>
#include <vector>

#include "horizon.hpp"
#include "lanes.hpp"
#include "row.hpp"

namespace summa::outbox {

// Who keeps the rows, and so where it is written down what a sink has.
enum class Keeping {
  kOwn,       // we mark a row when every sink has it
  kObserve,   // Summa's processor marks; we remember in outbox_sent
  kHandOver,  // from the one to the other: rows somebody else marked are still looked at, ours are
              // marked
};

struct Settings {
  std::string route = "topic";  // "topic" or the name of the one stream
  std::int64_t batch_size = 1000;
  std::int64_t max_retries = 3;
  bool block_key_on_dead_letter = true;
  bool observe = false;
  std::string sink = "bus";                  // whose deliveries these are
  std::vector<std::string> sinks = {"bus"};  // all that must have a row before it is marked

  const std::string& StreamOf(const std::string& topic) const {
    return route == "topic" ? topic : route;
  }
};

// What a poll looks for.
struct Range {
  // Leave out what outbox_sent says that the sink has, also with one sink.
  bool needs_sent_rows = false;
  // Lower bounds of created_at; none: every waiting row.
  std::optional<DatabaseTime> created_from;
  // Of rows that somebody else has marked; only while they are looked at.
  DatabaseTime settled_from;
  std::vector<std::string> paused_streams;
};

// A row that has to wait, as outbox_waiting keeps it.
struct ParkedRow {
  Uuid id{};
  Lane lane;
  std::optional<std::int64_t> position;
  std::string correlation_id;
};

struct WaitingRows {
  std::vector<Row> rows;    // in their order within each lane
  std::vector<Uuid> done;   // stand there, but are no longer to be sent
  std::vector<Lane> empty;  // lanes of which nothing stands there
};

struct SinkState {
  std::optional<DatabaseTime> observe_since, observed_until, own_since;
};

struct TopicCount {
  std::string topic;
  std::int64_t messages = 0;
  double oldest_age_seconds = 0;
};

struct Counts {
  std::int64_t pending = 0;
  std::optional<double> oldest_pending_age_seconds;
  std::int64_t processed = 0, failed = 0, dead_letters = 0, blocked_keys = 0;
  std::string last_delivered_at;  // ISO-8601, or empty
};

class OutboxTable {
 public:
  explicit OutboxTable(Settings settings);

  // A text that stays equal as long as nothing in the whole cluster commits.
  std::string Snapshot(Session& session) const;
  DatabaseTime Now(Session& session) const;
  OpenTransactions ReadOpenTransactions(Session& session) const;

  // At most batch_size + 1 rows to be sent, in ledger order. More than batch_size: there is a
  // backlog, and this page must not be published (see backlog.sql).
  std::vector<Row> Poll(Session& session, Keeping keeping, const Range& range) const;
  // Sorts the whole backlog on the server; it lives until the session is closed or CloseBacklog.
  void OpenBacklog(Session& session, Keeping keeping, const Range& range) const;
  // The next page in ledger order; empty: done. Rows that are no longer waiting are left out, so
  // `fetched` says how many ids the page had.
  std::vector<Row> NextPage(Session& session, Keeping keeping, std::size_t* fetched) const;
  void CloseBacklog(Session& session) const;

  // The first rows of the lanes in outbox_waiting, at most about batch_size of all.
  WaitingRows ReadWaiting(Session& session, Keeping keeping, std::span<const Lane> lanes,
                          bool needs_sent_rows) const;
  // Waiting rows that every sink has: they need no sending, only a mark.
  std::vector<Uuid> ReadComplete(Session& session, std::int64_t limit) const;
  std::vector<Lane> WaitingLanes(Session& session) const;
  std::vector<Lane> BlockedLanes(Session& session) const;

  // Throws when the role may not write what a delivery writes: better before the first message than
  // after.
  void CheckPrivileges(Session& session) const;

  // Inside a transaction of the caller:
  // The sink has them. The number of rows that were really open, where that can be known.
  std::int64_t Settle(Session& session, Keeping keeping, std::span<const Uuid> ids) const;
  // The two halves of Settle(): that this sink has the rows; the marks themselves, how many.
  void Remember(Session& session, std::span<const Uuid> ids) const;
  std::int64_t Mark(Session& session, std::span<const Uuid> ids) const;
  void Park(Session& session, std::span<const ParkedRow> rows) const;
  void Unpark(Session& session, std::span<const Uuid> ids) const;
  void CountAttempt(Session& session, Keeping keeping, const Row& row,
                    const std::string& error) const;
  void DeadLetter(Session& session, Keeping keeping, const Row& row,
                  const std::string& error) const;
  void RecordDelivery(Session& session, Keeping keeping) const;  // when; own_since at first
  SinkState ReadSink(Session& session) const;
  // What waits under the streams of an earlier `route` moves to those of today's.
  void Reroute(Session& session) const;
  // From now on rows are observed: what is marked already counts as history and is not sent.
  void BeginObserving(Session& session, std::chrono::microseconds history) const;
  void RecordObserved(Session& session, DatabaseTime until) const;
  void EndHandOver(Session& session) const;

  Counts Count(Session& session) const;
  // Waiting rows by topic, counted up to a limit so that it stays cheap.
  std::vector<TopicCount> CountPending(Session& session) const;
  std::vector<TopicCount> CountDeadLetters(Session& session) const;

  static constexpr std::int64_t kCountLimit = 100'000;

 private:
  void DeclareBacklog(Session& session, std::string_view statement,
                      std::initializer_list<Parameter> parameters) const;
  bool SeveralSinks() const { return settings_.sinks.size() > 1; }
  Parameter PausedTopics(const Range& range) const;

  Settings settings_;
  std::string poll_, observe_, backlog_, observe_backlog_, fetch_, mark_, next_page_;
};

// Comments are for the reader of the file; in a statement of one line they would swallow its rest.
std::string Statement(std::string_view sql);

}  // namespace summa::outbox
