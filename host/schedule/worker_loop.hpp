// What one worker's thread does until it is told to stop: lease, tick, record, wait. The order of
// one run is here and nowhere else.
#pragma once

#include "host/schedule/backoff.hpp"
#include "host/schedule/idle_pause.hpp"
#include "host/schedule/worker_run.hpp"

namespace summa::host {

class WorkerLoop {
 public:
  explicit WorkerLoop(WorkerRun& run);
  // Returns when the worker was told to stop or was abandoned. Throws nothing.
  void Run() noexcept;

 private:
  // Each gives the pause before the next round.
  Microseconds Round();
  Microseconds Continuous();
  Microseconds Periodic();

  std::optional<WorkerRun::Grant> TakeOrStandBy();
  void StandBy();
  Microseconds UntilRun();
  Microseconds NotDue(Microseconds until_run);
  WorkerRun::Done TickWhileBacklog(const WorkerRun::Grant& grant);
  Microseconds Finish(WorkerRun::Grant& grant, const WorkerRun::Done& done);
  Microseconds AfterFence();
  void Leave(const WorkerRun::Grant& grant);
  void RecordDue(WorkerRun::Grant& grant, Microseconds next_due_in);

  WorkerRun& run_;
  const WorkerPlan& plan_;
  Backoff worker_backoff_;    // the worker fails
  Backoff database_backoff_;  // leases or due times cannot be asked
  IdlePause idle_;
};

}  // namespace summa::host
