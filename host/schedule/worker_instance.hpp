// One worker with everything a call of it needs: lease, fenced SQL, stop signal, board. The parts
// that a worker's thread and `run --once` share.
// TryAcquire, Tick, FetchOrders and the grants belong to one thread; Stop, Cancel, Abandon,
// LeaseLost, SetOrders, CheckRunTime and Report are for any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "host/schedule/run_recorder.hpp"
#include "host/schedule/runner.hpp"
#include "host/schedule/stop_signal.hpp"
#include "host/schedule/tick_call.hpp"
#include "host/schedule/tick_gate.hpp"
#include "host/schedule/worker_board.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class WorkerInstance {
 public:
  // stop_poll: an outside reason to stop; may be empty.
  WorkerInstance(WorkerPlan plan, const RunnerServices& services,
                 std::function<bool()> stop_poll = {});

  // Permission to run: the lease and its SQL table. Lets the lease go when it dies, unless the
  // worker was abandoned: then the lease is left to expire and nothing of the host is touched.
  class Grant {
   public:
    Grant(WorkerInstance& worker, std::optional<LeaseGuard> guard);
    Grant(Grant&& other) noexcept;
    Grant& operator=(Grant&&) = delete;
    ~Grant();
    bool Good() const;  // still ours, or needs no lease
    std::int64_t fence() const { return fence_; }
    const std::shared_ptr<SqlScope>& scope() const { return scope_; }
    const summa_sql_v1* sql() const;
    // After the run: leave the row in the table almost until the next due time, when the plan says
    // so. Summa's own runner, which knows no due times, would run the worker again at once.
    void KeepUntilDue(Microseconds until_due);

   private:
    WorkerInstance* worker_;
    std::int64_t fence_ = 0;
    std::shared_ptr<SqlScope> scope_;
    std::optional<Microseconds> keep_for_;
  };

  // Tries once; nullopt: somebody else has the lease. Throws SqlFailure.
  std::optional<Grant> TryAcquire();

  struct CallResult {
    TickResult result = TickResult::kOk;
    TickOutcome outcome;
    bool abandoned = false;  // touch nothing of the host any more
    bool failed() const { return result == TickResult::kError || result == TickResult::kStuck; }
  };
  // What max_run is measured on. Ends before the grant that it runs under.
  class Span {
   public:
    explicit Span(WorkerInstance& worker);
    ~Span();
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;

   private:
    WorkerInstance& worker_;
  };
  // That the worker is about to be called under a grant, for whoever comes after a host that dies
  // in it. One for each grant, made after it.
  class Start {
   public:
    // Writes it down. Throws SqlFailure.
    Start(WorkerInstance& worker, const Grant& grant);
    ~Start();  // when no call was made: that none was
    Start(const Start&) = delete;
    Start& operator=(const Start&) = delete;
    // A call has returned: the host is alive. Written once.
    void Returned();
    const EarlierStarts& earlier() const { return earlier_; }
    // How long to wait before the call, because hosts before this one died in it.
    Microseconds pause() const;
    // Why nobody shall call it any more; empty: try.
    std::string WhyToPark() const;

   private:
    void Write(bool called) noexcept;
    WorkerInstance& worker_;
    const std::int64_t fence_;
    const EarlierStarts earlier_;
    bool open_ = true;
    BootTime try_again_at_;
  };
  // Says that the worker has died in hosts before, and waits; true: call it now.
  bool WaitAfterDeaths(const Start& start, const Grant& grant);
  // Parks it for the fleet.
  void ParkEverywhere(const std::string& why);

  // Calls the worker once; flags: SUMMA_TICK_ONCE or 0.
  CallResult Tick(const Grant& grant, std::uint32_t flags);

  // Sleeps; true: told to stop.
  bool Wait(Microseconds time) { return stop_.WaitFor(time); }
  // Sleeps while the lease is good; true: told to stop, or the lease is gone.
  bool Wait(Microseconds time, const Grant& grant) {
    return stop_.WaitFor(time, [&grant] { return !grant.Good(); });
  }
  // The same, and also woken by new orders of the fleet.
  void WaitForOrders(Microseconds time) {
    stop_.WaitFor(time, [this] { return new_orders(); });
  }
  void WaitForOrders(Microseconds time, const Grant& grant) {
    stop_.WaitFor(time, [this, &grant] { return new_orders() || !grant.Good(); });
  }
  bool stopping() const { return stop_.requested(); }

  // Asks the database, now. Throws SqlFailure.
  WorkerOrders FetchOrders();
  // What was seen last; they are no longer new.
  WorkerOrders ReadOrders();
  void SetOrders(const WorkerOrders& orders);
  bool new_orders() const { return new_orders_; }
  bool paused() const { return paused_; }  // for the fleet, by a person

  // Ends what takes longer than max_run: first asks, then takes its database and its lease.
  void CheckRunTime();

  void Stop() { stop_.Request(); }
  void Cancel() { gate_.CancelRunning(); }
  void Abandon() { gate_.Abandon(); }
  bool abandoned() const { return gate_.abandoned(); }
  // Wakes it and ends its statement: nothing that still runs under the lease can be committed.
  void LeaseLost();

  const WorkerPlan& plan() const { return plan_; }
  const RunnerServices& services() const { return services_; }
  WorkerBoard& board() { return board_; }
  RunRecorder& recorder() { return recorder_; }
  WorkerReport Report() const;

 private:
  enum class Overrun { kNone, kTold, kRevoked };

  TickResult ClassifyOutcome(TickOutcome& outcome, const Grant& grant) const;
  std::optional<TickOutcome> RequireWholeTables(const Grant& grant);
  void RevokeStuckRun() SUMMA_REQUIRES(span_mutex_);
  Error StuckError() const;

  const WorkerPlan plan_;
  const RunnerServices services_;
  StopSignal stop_;
  TickGate gate_;
  WorkerBoard board_;
  RunRecorder recorder_;
  // The fence of the last good call; the flag NEW_LEASE is given until a call under it was good.
  std::optional<std::int64_t> known_fence_;
  // When the tables were last seen to be whole, and under which fence.
  std::optional<BootTime> whole_at_;
  std::int64_t whole_fence_ = 0;
  std::set<std::string> beside_;  // what was said of tables beside the ledger's

  mutable Mutex orders_mutex_;
  WorkerOrders orders_ SUMMA_GUARDED_BY(orders_mutex_);
  std::atomic<bool> new_orders_{false};
  std::atomic<bool> paused_{false};  // as orders_ says

  Mutex span_mutex_;  // held while the watch acts on the span, so that it meets no later one
  std::optional<BootTime> span_begin_ SUMMA_GUARDED_BY(span_mutex_);
  Overrun overrun_ SUMMA_GUARDED_BY(span_mutex_) = Overrun::kNone;
  std::atomic<bool> stuck_{false};  // overrun_ is not kNone
};

}  // namespace summa::host
