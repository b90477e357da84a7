#include "host/schedule/run_engine.hpp"

#include <optional>
#include <summa/crash_point.hpp>

namespace summa::host {

RunProgress RunEngine::Run() {
  RunProgress run;
  // Asked before every lease, so that nothing begins that has just been stopped.
  run.orders = worker_.FetchOrders();
  if (policy_.IsHeldBack(run.orders)) {
    run.end = RunProgress::End::kHeldBack;
    return run;
  }
  if (!IsDue(run, run.orders.run_request != 0)) return run;
  std::optional<WorkerInstance::Grant> grant = worker_.TryAcquire();
  if (grant) {
    UnderLease(run, *grant);
  } else {
    run.end = RunProgress::End::kElsewhere;
  }
  return run;
}

bool RunEngine::IsDue(RunProgress& run, bool asked_for) {
  run.until_due = policy_.UntilDue(asked_for);
  if (run.until_due <= Microseconds(0)) return true;
  run.end = RunProgress::End::kNotDue;
  return false;
}

void RunEngine::UnderLease(RunProgress& run, WorkerInstance::Grant& grant) {
  run.request = policy_.TakeRequest(run.orders);
  if (!IsDue(run, run.request != 0)) return grant.KeepUntilDue(run.until_due);
  WorkerInstance::Start start(worker_, grant);
  if (!MayStart(run, start, grant)) return;
  if (policy_.shown()) {
    worker_.board().Running();
    worker_.recorder().State("running");
  }
  if (!worker_.plan().continuous) CrashPoint("schedule.due");
  run.began = worker_.services().clock->BootNow();
  if (policy_.limits_the_whole()) {
    const WorkerInstance::Span span(worker_);
    CallAll(run, grant, start);
  } else {
    CallAll(run, grant, start);
  }
  if (run.end != RunProgress::End::kAbandoned) policy_.Finish(run, grant);
}

// Hosts before this one may have died in the worker.
bool RunEngine::MayStart(RunProgress& run, const WorkerInstance::Start& start,
                         const WorkerInstance::Grant& grant) {
  run.why_parked = start.WhyToPark();
  if (!run.why_parked.empty()) {
    worker_.ParkEverywhere(run.why_parked);
    run.end = RunProgress::End::kParked;
    return false;
  }
  if (worker_.WaitAfterDeaths(start, grant)) return true;
  run.end = RunProgress::End::kCalledOff;
  return false;
}

void RunEngine::CallAll(RunProgress& run, const WorkerInstance::Grant& grant,
                        WorkerInstance::Start& start) {
  while (policy_.MayCall(run, grant)) {
    run.done = Call(grant);
    if (run.done.abandoned) {
      run.end = RunProgress::End::kAbandoned;
      return;
    }
    start.Returned();
    ++run.result.runs;
    run.result.items += run.done.outcome.items;
    run.result.duration = worker_.services().clock->BootNow() - run.began;
    if (!policy_.CallsAgain(run, grant)) return;
  }
}

WorkerInstance::CallResult RunEngine::Call(const WorkerInstance::Grant& grant) {
  if (policy_.limits_the_whole()) return worker_.Tick(grant, policy_.flags());
  const WorkerInstance::Span span(worker_);
  return worker_.Tick(grant, policy_.flags());
}

}  // namespace summa::host
