// Writes into the ledger's database what became of rows: marks, attempts, dead letters, blocked
// keys, and which rows have to wait.
//
// What the bus confirmed is remembered until a commit has succeeded, and marked before anything is
// sent again: a failing database so causes no duplicates under one lease. While a backlog is
// drained the writing goes on behind the sending, one batch at most, on a session of its own.
//
// When the ledger refuses a row, what the bus confirmed is remembered in outbox_sent instead, where
// it keeps every host from sending it again; the processor then marks these rows one by one.
#pragma once

#include <future>
#include <optional>
#include <span>
#include <string>
#include <summa/host.hpp>
#include <utility>
#include <vector>

#include "table.hpp"

namespace summa::outbox {

// What one publishing brought. Owns its data: it may be written while the next page is sent.
struct Outcome {
  struct Fault {
    Row row;
    std::string error;  // printable ASCII
  };
  std::vector<Uuid> confirmed;
  std::vector<Fault> faults;
  std::vector<ParkedRow> parked;
  bool waiting = false;    // the rows were read from outbox_waiting
  std::vector<Uuid> done;  // stand there, but are no longer to be sent

  bool empty() const {
    return confirmed.empty() && faults.empty() && parked.empty() && done.empty();
  }
  void Append(const Outcome& later);
};

ParkedRow ToParked(const Row& row, const Settings& settings);

// One thread calls; the writing behind uses one more, which no function outlives unseen.
class Recorder {
 public:
  Recorder(Host host, const OutboxTable& table, const Settings& settings)
      : host_(host), table_(table), settings_(settings) {}
  ~Recorder() { Abandon(); }

  // Another lease: what was confirmed under the earlier one is no longer ours to mark.
  void Forget();
  // Nothing may be unrecorded when it changes.
  void SetKeeping(Keeping keeping) { keeping_ = keeping; }
  // Grows when somebody else had marked rows that were just published.
  std::int64_t foreign_marks() const { return foreign_marks_; }
  // Marks what is still unmarked from a transaction that failed. Before anything is sent.
  void MarkConfirmed(Session& session);
  // Rows were remembered and wait for their marks, as far as is known.
  bool remembered() const { return remembered_; }
  void RememberedAreMarked() { remembered_ = false; }

  void Record(Session& session, const Outcome& outcome);

  // Between these two, Record() returns before it is done and throws what an earlier one threw.
  // What is recorded while a transaction runs is written together by the next one.
  void BeginBehind(const summa_sql_v1* sql);
  void EndBehind();         // waits; throws what the last one threw
  void Abandon() noexcept;  // the same after an exception: waits, throws nothing

 private:
  static constexpr std::chrono::seconds kDeliveryInterval{1};  // of last_delivered_at

  // While a transaction runs, so much is confirmed at most before the next one: what a death now
  // would have sent again.
  static constexpr std::int64_t kMaxBatchesQueued = 4;

  struct Written {
    std::int64_t marked = 0;
    bool remembered = false;
  };

  Written Write(Session& session, const Outcome& outcome, bool record_delivery) const;
  std::int64_t WriteTogether(Session& session, const Outcome& outcome, bool record_delivery) const;
  void Remember(Session& session, const Outcome& outcome, bool record_delivery) const;
  bool RefusesRows(Session& session, const Error& error) const;
  void WriteFaultAlone(Session& session, const Outcome::Fault& fault) const;
  void WriteFaults(Session& session, std::span<const Outcome::Fault> faults,
                   std::vector<ParkedRow> parked) const;
  bool DeliveryDue();
  void WriteQueued();
  void Settle();  // waits for the writing behind
  void Compare(std::int64_t confirmed, const Written& written);

  Host host_;
  const OutboxTable& table_;
  const Settings& settings_;
  Keeping keeping_ = Keeping::kOwn;
  bool remembered_ = true;
  std::int64_t foreign_marks_ = 0;
  std::vector<Uuid> unmarked_;  // confirmed by the bus, no commit yet
  std::optional<BootTime> last_delivery_;

  std::optional<Session> behind_;
  Outcome queued_;  // not given to a transaction yet
  std::future<Written> writing_;
  std::size_t writing_count_ = 0;  // the first ones of unmarked_
};

}  // namespace summa::outbox
