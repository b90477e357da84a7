// Reads events in the order of their positions without ever skipping one. A position is drawn from
// a sequence before its transaction commits, so an event with a lower position may become visible
// later than one with a higher position. There are two ways to handle this; neither affects
// writers:
//
//   LockBarrier  up to which position nothing can appear any more. For sealing: blocks, snapshots.
//   EventReader  delivers what is visible at once and remembers the numbers it skipped until nobody
//                can own them any more. For projections: milliseconds behind, also while a foreign
//                transaction stays open for hours.
//
// Both require a sequence with CACHE 1 (SH-0802 otherwise) and writers that draw the number in the
// INSERT. Errors: summa::Error. Objects belong to one thread at a time.
#pragma once

#include <summa/ledger/event_table.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace summa::ledger {

// A transaction that may still make an event visible.
struct OpenWriter {
  std::string virtual_transaction;
  std::int32_t pid = 0;               // 0: a prepared transaction
  std::int64_t age_microseconds = 0;  // since it began; 0 for a prepared one
  friend bool operator<(const OpenWriter& a, const OpenWriter& b) {
    return a.virtual_transaction < b.virtual_transaction;
  }
};

// Every method runs one or two separate statements; the session must not be in a transaction.
class LockBarrier {
 public:
  explicit LockBarrier(EventTable table) : table_(std::move(table)) {}

  // Reads the highest visible position and the transactions that write at this moment.
  void Raise(Session& session);
  // Whether all of them have ended: then a snapshot taken from now on sees every event up to
  // position() that will ever exist. Queries the server, so call it some milliseconds apart, not in
  // a tight loop.
  bool Passed(Session& session);
  std::int64_t position() const { return position_; }
  const std::set<OpenWriter>& waiting_for() const { return writers_; }

 private:
  EventTable table_;
  std::int64_t position_ = 0;
  std::set<OpenWriter> writers_;
  std::string server_start_;
};

// Raises a barrier and waits until it has passed. `wait` sleeps for a time and returns true to stop
// (as Tick::Wait does); it also stops after `timeout`. Returns the position, or nothing;
// `waiting_for` then names the transaction (it may be nullptr).
std::optional<std::int64_t> WaitForHorizon(
    Session& session, const EventTable& table, std::chrono::microseconds timeout,
    const std::function<bool(std::chrono::microseconds)>& wait,
    std::vector<OpenWriter>* waiting_for = nullptr);

// One event, borrowed for the call.
struct StoredEvent {
  std::int64_t position = 0;
  Uuid id{};
  std::string_view aggregate_type;
  Uuid aggregate_id{};
  std::int64_t version = 0;
  std::string_view event_type;
  std::string_view event_data;  // JSON text
  std::string_view correlation_id;
  std::string_view hash;
  std::optional<std::string_view> previous_hash;
  std::int64_t created_at = 0;  // microseconds since 2000-01-01 UTC
};

// The progress of a reader: everything up to `position` was delivered, except what is in `holes`.
struct Checkpoint {
  struct Hole {
    std::int64_t from = 0, to = 0;  // both included
    friend bool operator==(const Hole&, const Hole&) = default;
  };
  std::int64_t position = 0;
  std::vector<Hole> holes;  // in order, apart from each other

  // Whether this number was delivered, or given up.
  bool Has(std::int64_t number) const;
  // Whether every number that `other` has is one of ours: a reader that stands here repeats nothing
  // of what one at `other` delivers from there on, and misses nothing of it.
  bool HasAllOf(const Checkpoint& other) const;

  // "17-17,20-24", for a column of text.
  std::string HolesText() const;
  // Throws SUMMA_E_DATA, SH-0803, when the text is not of that form.
  static Checkpoint Parse(std::int64_t position, std::string_view holes);
};

class EventReader {
 public:
  struct Limits {
    int batch = 1000;  // events of one poll
    // Above this number nothing new is read until holes close, so that memory and the statement
    // stay bounded.
    std::size_t max_holes = 10'000;
    // A partitioned table with the guard of plugin maintenance: new events are looked for in the
    // table of its keys, which says in which partitions they are. At least so often, and when a key
    // has no event, every partition is read instead, and only then holes are closed: an event that
    // has got past the guard comes late, and is not lost.
    std::chrono::microseconds every_partition = std::chrono::seconds(5);
  };
  EventReader(EventTable table, Checkpoint from)
      : EventReader(std::move(table), std::move(from), {}) {}
  EventReader(EventTable table, Checkpoint from, Limits limits);

  // Reads new events in the order of positions and passes each to `deliver`. Events of one
  // aggregate always come in the order of their versions, over all polls. Afterwards checkpoint()
  // is what to store, in the transaction of the effect. When `deliver` throws, the checkpoint is
  // unchanged. Returns the number of events; if it equals the batch size, there may be more. The
  // statements run outside of a transaction, or inside one of READ COMMITTED.
  int Poll(Session& session, const std::function<void(const StoredEvent&)>& deliver);
  const Checkpoint& checkpoint() const { return checkpoint_; }

  // The writer of the oldest hole when holes were last looked into: the reason why the reader is not
  // complete.
  const std::optional<OpenWriter>& oldest_writer() const { return oldest_writer_; }

 private:
  struct Owned {
    bool known = false;  // asked at least once
    std::set<std::string> owners;
  };
  bool FindsByKeys(Session& session);
  std::optional<int> PollByKeys(Session& session,
                                const std::function<void(const StoredEvent&)>& deliver);
  int PollEveryPartition(Session& session, const std::function<void(const StoredEvent&)>& deliver);
  void QueryOwners(Session& session);
  Result Fetch(Session& session, bool only_holes) const;
  void Advance(const std::vector<std::int64_t>& seen, std::int64_t complete_to);

  EventTable table_;
  Checkpoint checkpoint_;
  Limits limits_;
  std::vector<Owned> owned_;  // of checkpoint_.holes, by index
  std::string server_start_;
  std::optional<OpenWriter> oldest_writer_;
  bool checked_ = false;
  bool guarded_ = false;                                      // when every partition was last read,
  std::optional<std::chrono::steady_clock::time_point> due_;  // which is to be done again then
};

// Throws SH-0802 unless the sequence of positions hands out single numbers in order.
void RequireOrderedPositions(Session& session, const EventTable& table);

}  // namespace summa::ledger
