// What one worker's thread does until it is told to stop: one run after the other (run_engine.hpp),
// and the pauses between them.
#pragma once

#include <optional>
#include <string>
#include <summa/backoff.hpp>

#include "host/schedule/idle_pause.hpp"
#include "host/schedule/run_engine.hpp"
#include "host/schedule/worker_due.hpp"

namespace summa::host {

class WorkerLoop : private RunPolicy {
 public:
  explicit WorkerLoop(WorkerInstance& worker);
  // Returns when the worker was told to stop or was abandoned. Throws nothing.
  void Run() noexcept;

 private:
  using Grant = WorkerInstance::Grant;

  bool IsHeldBack(const WorkerOrders& orders) override;
  Microseconds UntilDue(bool asked_for) override;
  std::int64_t TakeRequest(const WorkerOrders& orders) override;
  bool MayCall(RunProgress& run, const Grant& grant) override;
  bool CallsAgain(RunProgress& run, const Grant& grant) override;
  void Finish(RunProgress& run, Grant& grant) override;
  bool limits_the_whole() const override { return !plan_.continuous; }
  bool shown() const override { return !tries_; }

  // Each gives the pause before the next round.
  Microseconds Round();
  Microseconds After(const RunProgress& run);
  Microseconds Hold(const WorkerOrders& orders);
  Microseconds HoldParked(const WorkerOrders& orders);
  Microseconds NotDue(Microseconds until_due);
  Microseconds RecordCall(const WorkerInstance::CallResult& done, const Grant& grant);
  Microseconds AfterFence();

  bool IsTried(const WorkerOrders& orders);
  void FinishTry(RunProgress& run, Grant& grant);
  void FinishPeriodic(Grant& grant, const WorkerInstance::CallResult& done);
  void FinishContinuous(RunProgress& run, const Grant& grant);
  bool HasMore(RunProgress& run, const Grant& grant);
  Microseconds PauseAfter(const TickOutcome& outcome, IdlePause& idle);
  void WaitAsStandby();
  void Leave(const Grant& grant);
  void RecordDue(Grant& grant, Microseconds delay);
  std::int64_t Claim(std::int64_t request);
  void Answer(RunProgress& run);
  void Refuse(std::int64_t request);
  void Succeeded();
  bool CountFailure(const WorkerInstance::CallResult& done);
  void Park(const WorkerInstance::CallResult& done);
  void PlanTry();
  void Defect(const char* what);

  WorkerInstance& worker_;
  const WorkerPlan& plan_;
  WorkerDue due_;
  RunEngine engine_;
  int failures_ = 0;                  // consecutive, that count towards parking
  Backoff worker_backoff_;            // the worker fails
  Backoff database_backoff_;          // leases or due times cannot be asked
  Backoff try_backoff_;               // it is parked: never at once, for it has just failed
  std::optional<BootTime> next_try_;  // none: it is not parked, as far as we know
  IdlePause idle_;
  // Of the round that is under way.
  bool tries_ = false;     // a parked worker
  bool leaves_ = true;     // it is to be said at the end that nobody runs it now
  Microseconds pause_{0};  // after it
  IdlePause in_vain_;      // between the calls of a periodic run
};

}  // namespace summa::host
