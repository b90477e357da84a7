// What one worker's thread does until it is told to stop: lease, tick, record, wait. The order of
// one run is here and nowhere else.
#pragma once

#include <optional>
#include <string>
#include <summa/backoff.hpp>

#include "host/schedule/idle_pause.hpp"
#include "host/schedule/worker_due.hpp"
#include "host/schedule/worker_run.hpp"

namespace summa::host {

class WorkerLoop {
 public:
  explicit WorkerLoop(WorkerRun& run);
  // Returns when the worker was told to stop or was abandoned. Throws nothing.
  void Run() noexcept;

 private:
  // The calls of one run, and the request that it answers.
  struct Ran {
    WorkerRun::Done done;
    RequestedRun result;
  };

  // Each gives the pause before the next round.
  Microseconds Round();
  Microseconds Hold(const WorkerOrders& orders);
  Microseconds HoldParked(const WorkerOrders& orders);
  Microseconds Probe(const std::string& known_error);
  Microseconds Continuous(const WorkerOrders& orders);
  Microseconds Periodic(const WorkerOrders& orders);

  std::optional<WorkerRun::Grant> TakeOrStandBy();
  void StandBy();
  Microseconds NotDue(Microseconds until_run);
  Ran TickOnce(const WorkerRun::Grant& grant);
  Ran TickWhileBacklog(const WorkerRun::Grant& grant, WorkerRun::Start& start);
  bool MayStart(const WorkerRun::Start& start, const WorkerRun::Grant& grant);
  Microseconds Refuse(std::int64_t request);
  Microseconds PauseAfter(const TickOutcome& outcome, IdlePause& idle);
  Microseconds Judge(const WorkerRun::Done& done, const WorkerRun::Grant& grant);
  Microseconds Finish(WorkerRun::Grant& grant, const WorkerRun::Done& done);
  Microseconds AfterFence();
  void Leave(const WorkerRun::Grant& grant);
  void RecordDue(WorkerRun::Grant& grant, Microseconds delay);
  std::int64_t TakeRequest(const WorkerOrders& orders);
  void Answer(std::int64_t request, Ran& ran);
  void Succeeded();
  bool CountFailure(const WorkerRun::Done& done);
  void Park(const WorkerRun::Done& done);
  void PlanProbe();

  WorkerRun& run_;
  const WorkerPlan& plan_;
  WorkerDue due_;
  int failures_ = 0;                    // consecutive, that count towards parking
  Backoff worker_backoff_;              // the worker fails
  Backoff database_backoff_;            // leases or due times cannot be asked
  Backoff probe_backoff_;               // it is parked: never at once, for it has just failed
  std::optional<BootTime> next_probe_;  // none: it is not parked, as far as we know
  IdlePause idle_;
};

}  // namespace summa::host
