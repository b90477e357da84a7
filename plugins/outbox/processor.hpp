// Delivers to one sink: reads what waits, publishes it, records what the bus confirmed.
// The recipe of one delivery is here; SQL is in OutboxTable, sending in Publisher, waiting in
// Lanes.
//
// Faults: dying anywhere between publish and commit sends again with the same ids (at-least-once).
// Nothing is marked before the bus confirmed it, and nothing is marked under a lease that is gone.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <summa/backoff.hpp>
#include <summa/host.hpp>
#include <summa/refused_rows.hpp>
#include <summa/worker.hpp>
#include <vector>

#include "horizon.hpp"
#include "lanes.hpp"
#include "outbox_metrics.hpp"
#include "publisher.hpp"
#include "recorder.hpp"
#include "sink_problems.hpp"
#include "table.hpp"

namespace summa::outbox {

struct ProcessorSettings {
  Settings outbox;
  Microseconds retry_base{std::chrono::milliseconds(100)};
  Microseconds retry_cap{std::chrono::seconds(60)};
};

// Counters for people; any thread.
struct ProcessorCounters {
  std::atomic<std::int64_t> delivered{0}, retried{0}, dead_lettered{0}, blocked_keys{0}, pending{0};
};

class Processor final : public Worker {
 public:
  // While somebody else marks rows, one that has committed so long after its created_at is found
  // only if it is still pending. Summa's own transactions end after 5 s.
  static constexpr Microseconds kSettledMargin = std::chrono::minutes(15);

  Processor(Host host, ProcessorSettings settings, BusClient bus);
  TickResult Run(const Tick& tick) override;
  const ProcessorCounters& counters() const { return counters_; }
  const std::string& sink() const { return settings_.outbox.sink; }
  const SinkProblems& problems() const { return problems_; }

 private:
  // Polls with a lower bound skip the entries of rows that were processed but not yet vacuumed
  // away. While a transaction stays open, a row may become visible this long after its created_at
  // (the start of its transaction) and still be found by them; later ones are found by the polls
  // without a bound.
  static constexpr Microseconds kLateCommitMargin = std::chrono::seconds(30);
  // Polls without a bound: at most this far apart, unless they are expensive (a held snapshot keeps
  // dead entries alive): then they may take 1 % of the time.
  static constexpr Microseconds kFullPollInterval = std::chrono::seconds(5);
  static constexpr int kFullPollCostFactor = 100;
  // How often it is asked which transactions are open: the lower bound is so far behind.
  static constexpr Microseconds kHorizonInterval = std::chrono::milliseconds(250);
  // So long after the last row that somebody else marked, rows are no longer looked at whatever
  // their status: ten of the intervals of Summa's own processor.
  static constexpr Microseconds kHandOverQuiet = std::chrono::seconds(50);
  // How often it is tried again to mark what the ledger refused.
  static constexpr Microseconds kRefusedInterval = std::chrono::seconds(10);
  // Lanes whose waiting rows are read together.
  static constexpr std::size_t kLanesTogether = 100;

  TickResult RunOnce(const Tick& tick);
  void Forget();                   // what was learned under an earlier lease
  void Prepare(Session& session);  // under a new lease, before anything is sent
  bool NothingNew(Session& session);
  // Marks what every sink has and is not marked yet; what the ledger refuses is named and left.
  void MarkRemembered(Session& session, const Tick& tick);
  void FullPollDue(Session& session, BootTime now);
  std::vector<Row> Poll(Session& session);
  std::vector<Row> PollEverything(Session& session);
  Range Bounds(bool everything) const;
  void UpdateHorizon(Session& session);
  void Passed(Session& session, bool everything);  // all that the poll found is settled
  void HandOver(Session& session);
  std::int64_t DrainBacklog(Session& session, const Tick& tick);
  std::int64_t SendWaiting(Session& session, const Tick& tick);
  // Delivers rows in order until each is delivered, parked or paused; the number delivered.
  std::int64_t Deliver(Session& session, const std::vector<Row>& rows, const Tick& tick,
                       bool waiting);
  Outcome OutcomeOf(const Delivery& delivery, bool waiting) const;
  void Count(const Delivery& delivery);
  void HoldFault(const RowFault& fault);
  void PauseStreams(const Delivery& delivery);
  void PauseSink(const std::string& error, const std::string& hint);
  void ObservePending(Session& session);
  TickResult Result(std::int64_t items, bool backlog, bool once) const;
  // Some of the waiting rows were delivered and are not marked: outbox_sent names them.
  bool NeedsSentRows() const { return recorder_.remembered() || !problems_.refused().empty(); }
  DatabaseTime ServerNow() const { return server_at_boot_ + host_.BootNow().time_since_epoch(); }

  Host host_;
  ProcessorSettings settings_;
  OutboxTable table_;
  Publisher publisher_;
  Recorder recorder_;
  Lanes lanes_;
  Horizon horizon_;
  Backoff backoff_;
  ProcessorCounters counters_;
  OutboxMetrics metrics_;
  SinkProblems problems_;

  std::optional<std::int64_t> fence_;  // under which all below was learned
  bool prepared_ = false;
  Keeping keeping_ = Keeping::kOwn;
  DatabaseTime observed_until_;      // everything visible then was sent
  std::int64_t foreign_marks_ = 0;   // of the recorder, as last seen
  BootTime foreign_seen_;            // when it last grew
  std::string snapshot_;             // when it is unchanged, nothing was committed
  std::string full_poll_snapshot_;   // the same, at the last poll without a bound
  bool idle_ = false;                // the last poll found nothing
  bool full_poll_wanted_ = true;     // a stream was let go: its rows may be below the bound
  BootTime next_marks_;              // of rows that the ledger refused
  std::optional<DatabaseTime> low_;  // lower bound of created_at
  DatabaseTime poll_time_;           // server's clock before the last poll
  BootTime next_full_poll_;
  BootTime next_horizon_;
  DatabaseTime server_at_boot_;  // server's clock when this machine started, as it looks now
  BootTime sink_paused_until_;
  std::string sink_error_;        // why it is paused
  std::int64_t sink_faults_ = 0;  // in a row
};

}  // namespace summa::outbox
