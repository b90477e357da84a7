#include "host/schedule/run_engine.hpp"

#include <optional>
#include <summa/crash_point.hpp>

namespace summa::host {

OneRun RunEngine::Go() {
  OneRun run;
  // Asked before every lease, so that nothing begins that has just been stopped.
  run.orders = worker_.LookAtOrders();
  if (policy_.HoldsBack(run.orders)) {
    run.end = OneRun::End::kHeldBack;
    return run;
  }
  if (!IsDue(run, run.orders.run_request != 0)) return run;
  std::optional<WorkerRun::Grant> grant = worker_.Take();
  if (grant) {
    UnderLease(run, *grant);
  } else {
    run.end = OneRun::End::kElsewhere;
  }
  return run;
}

bool RunEngine::IsDue(OneRun& run, bool asked_for) {
  run.until_due = policy_.UntilDue(asked_for);
  if (run.until_due <= Microseconds(0)) return true;
  run.end = OneRun::End::kNotDue;
  return false;
}

void RunEngine::UnderLease(OneRun& run, WorkerRun::Grant& grant) {
  run.request = policy_.TakeRequest(run.orders);
  if (!IsDue(run, run.request != 0)) return grant.KeepUntilDue(run.until_due);
  WorkerRun::Start start(worker_, grant);
  if (!MayStart(run, start, grant)) return;
  if (policy_.shown()) {
    worker_.board().Running();
    worker_.recorder().State("running");
  }
  if (!worker_.plan().continuous) CrashPoint("schedule.due");
  run.began = worker_.services().clock->BootNow();
  if (policy_.limits_the_whole()) {
    const WorkerRun::Span span(worker_);
    CallAll(run, grant, start);
  } else {
    CallAll(run, grant, start);
  }
  if (run.end != OneRun::End::kAbandoned) policy_.Finish(run, grant);
}

// Hosts before this one may have died in the worker.
bool RunEngine::MayStart(OneRun& run, const WorkerRun::Start& start,
                         const WorkerRun::Grant& grant) {
  run.why_parked = start.WhyToPark();
  if (!run.why_parked.empty()) {
    worker_.ParkEverywhere(run.why_parked);
    run.end = OneRun::End::kParked;
    return false;
  }
  if (worker_.WaitAfterDeaths(start, grant)) return true;
  run.end = OneRun::End::kCalledOff;
  return false;
}

void RunEngine::CallAll(OneRun& run, const WorkerRun::Grant& grant, WorkerRun::Start& start) {
  while (policy_.MayCall(run, grant)) {
    run.done = Call(grant);
    if (run.done.abandoned) {
      run.end = OneRun::End::kAbandoned;
      return;
    }
    start.Returned();
    ++run.result.runs;
    run.result.items += run.done.outcome.items;
    run.result.duration = worker_.services().clock->BootNow() - run.began;
    if (!policy_.GoesOn(run, grant)) return;
  }
}

WorkerRun::Done RunEngine::Call(const WorkerRun::Grant& grant) {
  if (policy_.limits_the_whole()) return worker_.Tick(grant, policy_.flags());
  const WorkerRun::Span span(worker_);
  return worker_.Tick(grant, policy_.flags());
}

}  // namespace summa::host
