// Reading events in the order of their positions without ever passing over one. A position is drawn
// from a sequence before its transaction commits: what is visible above a number that is not may be
// overtaken by it later. Two ways to know, neither of which writers notice:
//
//   LockBarrier  up to which position nothing can appear any more. For sealing: blocks, snapshots.
//   EventReader  delivers what is visible at once and remembers the numbers it skipped until nobody
//                can own them any more. For projections: milliseconds behind, also while a foreign
//                transaction stays open for hours.
//
// Both need a sequence with CACHE 1 (SH-0802 otherwise) and writers that draw the number in the
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

// A transaction that may still bring an event to light.
struct OpenWriter {
  std::string virtual_transaction;
  std::int32_t pid = 0;               // 0: a prepared transaction
  std::int64_t age_microseconds = 0;  // since it began; 0 for a prepared one
  friend bool operator<(const OpenWriter& a, const OpenWriter& b) {
    return a.virtual_transaction < b.virtual_transaction;
  }
};

// Every method is one or two statements of their own; the session must not be in a transaction.
class LockBarrier {
 public:
  explicit LockBarrier(EventTable table) : table_(std::move(table)) {}

  // Takes the highest visible position and who writes at this moment.
  void Raise(Session& session);
  // Whether all of them have ended: then a snapshot taken from now on sees every event up to
  // position() that will ever be. Asks the server, so not in a tight loop: some milliseconds apart.
  bool Passed(Session& session);
  std::int64_t position() const { return position_; }
  const std::set<OpenWriter>& waiting_for() const { return writers_; }

 private:
  EventTable table_;
  std::int64_t position_ = 0;
  std::set<OpenWriter> writers_;
  std::string server_start_;
};

// Raises a barrier and waits until it has passed. `wait` sleeps for a time and returns true to give
// up (Tick::Wait does); also given up after `patience`. The position, or nothing; `waiting_for`
// then tells on whom (it may be nullptr).
std::optional<std::int64_t> WaitForHorizon(
    Session& session, const EventTable& table, std::chrono::microseconds patience,
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

// How far a reader is: everything up to `position` was delivered, but what lies in `holes`.
struct Checkpoint {
  struct Hole {
    std::int64_t from = 0, to = 0;  // both included
    friend bool operator==(const Hole&, const Hole&) = default;
  };
  std::int64_t position = 0;
  std::vector<Hole> holes;  // in order, apart from each other

  // "17-17,20-24", for a column of text.
  std::string HolesText() const;
  // Throws SUMMA_E_DATA, SH-0803, when the text is not of that form.
  static Checkpoint Parse(std::int64_t position, std::string_view holes);
};

class EventReader {
 public:
  struct Limits {
    int batch = 1000;  // events of one poll
    // Above this nothing new is read until holes close: memory and the statement stay bounded.
    std::size_t most_holes = 10'000;
  };
  EventReader(EventTable table, Checkpoint from)
      : EventReader(std::move(table), std::move(from), {}) {}
  EventReader(EventTable table, Checkpoint from, Limits limits);

  // Reads what has appeared, in the order of positions, and gives each event to `deliver`. Events
  // of one aggregate always come in the order of their versions, over all polls. Afterwards
  // checkpoint() is what to store, in the transaction of the effect. When `deliver` throws, nothing
  // has moved. Returns how many; batch: there may be more.
  // The statements run outside of a transaction, or inside one of READ COMMITTED.
  int Poll(Session& session, const std::function<void(const StoredEvent&)>& deliver);
  const Checkpoint& checkpoint() const { return checkpoint_; }

  // The writer of the oldest hole, as of the last poll: why the reader is not complete.
  const std::optional<OpenWriter>& oldest_writer() const { return oldest_writer_; }

 private:
  struct Owned {
    bool known = false;  // asked at least once
    std::set<std::string> owners;
  };
  void AskOwners(Session& session);
  Result Fetch(Session& session, bool only_holes) const;
  void Advance(const std::vector<std::int64_t>& seen, bool complete);

  EventTable table_;
  Checkpoint checkpoint_;
  Limits limits_;
  std::vector<Owned> owned_;  // of checkpoint_.holes, by index
  std::string server_start_;
  std::optional<OpenWriter> oldest_writer_;
  bool checked_ = false;
};

// Throws SH-0802 unless the sequence of positions hands out single numbers in order.
void RequireOrderedPositions(Session& session, const EventTable& table);

}  // namespace summa::ledger
