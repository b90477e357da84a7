#include "host/schedule/worker_loop.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "host/database/whole_tables.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

constexpr Microseconds kFirstRetry = std::chrono::milliseconds(100);
constexpr Microseconds kLongestRetry = std::chrono::seconds(60);
// The database comes back for all workers at once, and nothing else can be done meanwhile.
constexpr Microseconds kLongestDatabaseRetry = std::chrono::seconds(5);
// The due time is looked up again this often: another host or a command may have moved it.
constexpr Microseconds kPollInterval = std::chrono::seconds(60);
constexpr Microseconds kStandbyPollInterval = std::chrono::seconds(30);
// A lease that looked free was taken by a faster host.
constexpr Microseconds kOutrunPause = std::chrono::milliseconds(10);
constexpr Microseconds kNow{0};
// The first try of a parked worker comes after so much of its longest pause.
constexpr int kFirstTryPart = 16;

// An unreachable server comes back, and a try-later is repeated: neither is a failure of the
// worker.
bool IsTransient(std::int32_t status) {
  return status == SUMMA_E_UNAVAILABLE || status == SUMMA_E_TRY_LATER || status == SUMMA_E_FENCED ||
         status == SUMMA_E_CANCELLED;
}
bool IsPermanent(std::int32_t status) {
  return status == SUMMA_E_CONFIG || status == SUMMA_E_DENIED;
}
// Unannounced, so it is asked for often.
bool IsOutage(const WorkerInstance::CallResult& done) {
  return done.outcome.status == SUMMA_E_UNAVAILABLE || HealsInTheDatabase(done.outcome.error.code);
}

}  // namespace

WorkerLoop::WorkerLoop(WorkerInstance& worker)
    : worker_(worker),
      plan_(worker.plan()),
      due_(plan_, worker_.services(), worker_.board()),
      engine_(worker_, *this),
      worker_backoff_(kFirstRetry, kLongestRetry),
      database_backoff_(kFirstRetry, kLongestDatabaseRetry),
      try_backoff_(plan_.retry_parked / kFirstTryPart, plan_.retry_parked, Jitter::kHalf),
      idle_(plan_.idle_poll),
      in_vain_(kNow) {}

void WorkerLoop::Run() noexcept {
  while (!worker_.stopping()) {
    const Microseconds pause = Round();
    if (worker_.abandoned()) return;
    worker_.WaitForOrders(pause);
  }
  worker_.board().Stopped();
}

// Every failure on the way to the worker ends here, and the next round starts again.
Microseconds WorkerLoop::Round() {
  try {
    tries_ = false;
    leaves_ = true;
    pause_ = kNow;
    idle_.Reset();
    in_vain_ = IdlePause(kNow);
    const Microseconds pause = After(engine_.Run());
    database_backoff_.Reset();
    return pause;
  } catch (const Failure& failure) {
    if (!worker_.abandoned()) worker_.board().Failed(failure.error());
  } catch (const std::exception& exception) {
    Defect(exception.what());
  } catch (...) {
    Defect("an exception without a text");
  }
  return database_backoff_.Next();
}

void WorkerLoop::Defect(const char* what) {
  if (!worker_.abandoned()) worker_.board().Failed({"SH-0901", what, {}, "worker " + plan_.id});
}

Microseconds WorkerLoop::After(const RunProgress& run) {
  using End = RunProgress::End;
  if (run.end == End::kHeldBack) return Hold(run.orders);
  if (run.end == End::kNotDue && !tries_) return NotDue(run.until_due);
  // Of a parked worker there is nothing to be seen without the lease: somebody runs it.
  if (run.end == End::kElsewhere && !tries_) WaitAsStandby();
  if (run.end == End::kParked || run.end == End::kCalledOff) Refuse(run.request);
  return run.end == End::kDone ? pause_ : kNow;
}

bool WorkerLoop::IsHeldBack(const WorkerOrders& orders) {
  if (orders.parked_error.empty()) {
    next_try_.reset();
    try_backoff_.Reset();
    return orders.hold();
  }
  failures_ = 0;  // a worker that is resumed gets all its attempts
  worker_backoff_.Reset();
  tries_ = IsTried(orders) && next_try_ && *next_try_ <= worker_.services().clock->BootNow();
  if (tries_) PlanTry();
  return !tries_;
}

// Whether this host runs a parked worker from time to time, to find out whether the cause of its
// failures is gone.
bool WorkerLoop::IsTried(const WorkerOrders& orders) {
  return plan_.retry_parked > kNow && !orders.parked_everywhere && !orders.paused &&
         orders.lease_asked_for == kNow;
}

Microseconds WorkerLoop::Hold(const WorkerOrders& orders) {
  if (!orders.parked_error.empty()) return HoldParked(orders);
  worker_.board().Recovered();
  if (orders.paused) {
    worker_.board().Stopped();
    return kPollInterval;
  }
  worker_.board().Standby();  // until the command is done, or is known to be dead
  return std::min(orders.lease_asked_for, kPollInterval);
}

Microseconds WorkerLoop::HoldParked(const WorkerOrders& orders) {
  if (!IsTried(orders)) {
    worker_.board().Parked(orders.parked_error, std::nullopt);
    return kPollInterval;
  }
  if (!next_try_) PlanTry();
  const Microseconds wait =
      std::max(*next_try_ - worker_.services().clock->BootNow(), Microseconds(1));
  worker_.board().Parked(orders.parked_error, wait);
  return std::min(wait, kPollInterval);
}

void WorkerLoop::PlanTry() {
  next_try_ = worker_.services().clock->BootNow() + try_backoff_.Next();
}

Microseconds WorkerLoop::UntilDue(bool asked_for) {
  if (plan_.continuous || (asked_for && !tries_)) return kNow;
  return due_.UntilRun();
}

// A continuous worker takes one before each call.
std::int64_t WorkerLoop::TakeRequest(const WorkerOrders& orders) {
  return plan_.continuous || tries_ ? 0 : Claim(orders.run_request);
}

bool WorkerLoop::MayCall(RunProgress& run, const Grant& grant) {
  if (!plan_.continuous || tries_) return true;
  if (worker_.stopping() || !grant.Good()) return false;
  if (worker_.new_orders()) {
    run.orders = worker_.ReadOrders();
    if (run.orders.hold()) return false;
  }
  if (run.request == 0) run.request = Claim(std::exchange(run.orders.run_request, 0));
  run.result = {};
  run.began = worker_.services().clock->BootNow();
  return true;
}

bool WorkerLoop::CallsAgain(RunProgress& run, const Grant& grant) {
  if (!plan_.continuous) return HasMore(run, grant);
  if (tries_) return false;
  Answer(run);
  if (run.done.result == TickResult::kCancelled) return true;
  if (run.done.result == TickResult::kFenced) {
    leaves_ = false;
    pause_ = AfterFence();
    return false;
  }
  pause_ = RecordCall(run.done, grant);
  if (run.done.failed() && CountFailure(run.done)) {
    leaves_ = false;
    pause_ = kNow;
    if (grant.Good()) Park(run.done);
    return false;
  }
  if (pause_ > kNow) worker_.WaitForOrders(pause_, grant);
  return true;
}

// Of a periodic worker, in the same run.
bool WorkerLoop::HasMore(RunProgress& run, const Grant& grant) {
  if (run.done.result != TickResult::kOk) return false;
  const Microseconds pause = PauseAfter(run.done.outcome, in_vain_);
  if (!run.done.outcome.backlog) return false;
  if (pause > kNow) worker_.WaitForOrders(pause, grant);
  if (!worker_.stopping() && !worker_.paused() && grant.Good()) return true;
  run.done.result = TickResult::kCancelled;  // the rest is for the next run, which stays due
  return false;
}

void WorkerLoop::Finish(RunProgress& run, Grant& grant) {
  if (tries_) return FinishTry(run, grant);
  if (plan_.continuous) return FinishContinuous(run, grant);
  FinishPeriodic(grant, run.done);
  Answer(run);
}

void WorkerLoop::FinishTry(RunProgress& run, Grant& grant) {
  const TickResult result = run.done.result;
  if (result == TickResult::kCancelled) return;
  if (result == TickResult::kFenced) {
    pause_ = AfterFence();
    return;
  }
  const RunnerServices& services = worker_.services();
  const bool away = result == TickResult::kError && IsTransient(run.done.outcome.status);
  if (run.done.failed() && !away) {  // the next round waits for the next try
    const Error& error = run.done.outcome.error;
    const std::string text = error.code + " " + error.message;
    if (!grant.Good() || text == run.orders.parked_error) return;
    services.orders().Park(plan_, services.host_name, text);
    LogError(LogLevel::kError, error, {{"worker", plan_.id}, {"plugin", plan_.plugin}});
    return;
  }
  services.orders().Unpark(plan_.id, services.host_name);
  Log(LogLevel::kInfo, "SH-0350", "a parked worker was tried and runs again",
      {{"worker", plan_.id}, {"plugin", plan_.plugin}, {"was", run.orders.parked_error}});
  if (!plan_.continuous) FinishPeriodic(grant, run.done);
}

void WorkerLoop::FinishContinuous(RunProgress& run, const Grant& grant) {
  if (!leaves_) return;
  Refuse(run.request);  // stopped or paused at this moment
  if (grant.Good()) pause_ = kNow;
  Leave(grant);
}

// What came of a call of a continuous worker; the pause before the next one.
Microseconds WorkerLoop::RecordCall(const WorkerInstance::CallResult& done, const Grant& grant) {
  if (done.failed()) {
    worker_.board().Failed(done.outcome.error);
    if (grant.Good()) worker_.recorder().Continuous(grant.fence(), &done.outcome.error, true);
    const Microseconds pause = worker_backoff_.Next();
    return IsOutage(done) ? std::min(pause, kLongestDatabaseRetry) : pause;
  }
  Succeeded();
  worker_.board().Running();
  worker_.recorder().Continuous(grant.fence(), nullptr, done.outcome.items > 0);
  return PauseAfter(done.outcome, idle_);
}

Microseconds WorkerLoop::PauseAfter(const TickOutcome& outcome, IdlePause& idle) {
  const Microseconds pause = idle.After(outcome.backlog, outcome.items, outcome.wait_hint);
  worker_.board().InVain(idle.in_vain());
  return pause;
}

void WorkerLoop::WaitAsStandby() {
  worker_.board().Recovered();  // the database answers
  worker_.board().Standby();
  const bool free = worker_.services().leases->WaitUntilFree(
      plan_.id, kStandbyPollInterval,
      [this] { return worker_.stopping() || worker_.new_orders(); });
  if (free && !worker_.stopping()) {
    worker_.Wait(std::chrono::duration_cast<Microseconds>(kOutrunPause * RandomFraction()));
  }
}

Microseconds WorkerLoop::NotDue(Microseconds until_due) {
  worker_.board().Recovered();
  worker_.board().Waiting(until_due);
  return std::min(until_due, kPollInterval);
}

void WorkerLoop::FinishPeriodic(Grant& grant, const WorkerInstance::CallResult& done) {
  switch (done.result) {
    case TickResult::kOk:
      Succeeded();
      RecordDue(grant, DelayUntilDue(plan_, RandomFraction()));
      return;  // the next round sees how long to wait
    case TickResult::kCancelled:
      if (grant.Good()) worker_.recorder().State("waiting");  // it stays due
      return;
    case TickResult::kFenced:
      pause_ = AfterFence();
      return;
    case TickResult::kError:
    case TickResult::kStuck:
      break;
  }
  worker_.board().Failed(done.outcome.error);
  // Without a new due time: it stays due, here and on every other host.
  if (grant.Good()) worker_.recorder().Record(grant.fence(), &done.outcome.error, std::nullopt);
  if (CountFailure(done) && grant.Good()) Park(done);
  pause_ = worker_backoff_.Next();
  const bool shown_again = HealsInTheDatabase(done.outcome.error.code);
  if (shown_again) pause_ = std::min(pause_, kLongestDatabaseRetry);
}

// The lease is held until the due time is written: without it the run would be repeated at once.
// Told to stop, it tries once more: what it waited for may have been ended for that.
void WorkerLoop::RecordDue(Grant& grant, Microseconds delay) {
  const Clock& clock = *worker_.services().clock;
  const BootTime begin = clock.BootNow();
  Microseconds rest = delay;
  Backoff backoff(kFirstRetry, kLongestDatabaseRetry);
  for (bool last = false;;) {
    const std::optional<Microseconds> until_due =
        worker_.recorder().Record(grant.fence(), nullptr, rest);
    if (until_due) {
      worker_.board().Waiting(*until_due);
      grant.KeepUntilDue(*until_due);
      return;
    }
    if (last || !grant.Good()) return;
    last = worker_.Wait(backoff.Next(), grant);
    if (plan_.times.empty()) {
      rest = std::max(delay - (clock.BootNow() - begin), Microseconds(1));
    }
  }
}

// Only ours: 0 when there is no request, or another host does it.
std::int64_t WorkerLoop::Claim(std::int64_t request) {
  if (request == 0) return 0;
  const RunnerServices& services = worker_.services();
  return services.orders().Take(request, services.host_name) ? request : 0;
}

// The requester of the run is told once.
void WorkerLoop::Answer(RunProgress& run) {
  const std::int64_t request = std::exchange(run.request, 0);
  if (request == 0) return;
  RunSummary result = run.result;
  result.outcome = "ok";
  if (run.done.result != TickResult::kOk) {
    const Error& error = run.done.outcome.error;
    result.outcome = run.done.failed() ? "error" : "skipped";
    result.error = ToText(error);
    result.exit_code = run.done.failed() ? ExitCode(error) : SUMMA_E_TRY_LATER;
  }
  try {
    worker_.services().orders().Finish(request, result);
  } catch (const Failure& failure) {
    // The requester waits without success and is told so; the run itself counts.
    LogError(LogLevel::kWarn, failure.error(), {{"worker", plan_.id}});
  }
}

// The same, when there was none.
void WorkerLoop::Refuse(std::int64_t request) {
  RunProgress none;
  none.request = request;
  none.done.result = TickResult::kCancelled;
  none.done.outcome.error = {"SH-0904", "told to stop before the worker ran", {}, {}};
  Answer(none);
}

void WorkerLoop::Succeeded() {
  failures_ = 0;
  worker_backoff_.Reset();
  worker_.board().Recovered();
}

// True: it was one too many, so the worker must be parked.
bool WorkerLoop::CountFailure(const WorkerInstance::CallResult& done) {
  const std::int32_t status = done.outcome.status;
  const bool passes = IsTransient(status) || HealsInTheDatabase(done.outcome.error.code);
  if (plan_.park_after == 0 || (done.result == TickResult::kError && passes)) return false;
  ++failures_;
  return failures_ >= plan_.park_after || IsPermanent(status);
}

// On this host only, however often it restarts: another one, whose plugin or configuration is in
// order, takes over. When that one fails as well, no host is left and the state stays "parked".
void WorkerLoop::Park(const WorkerInstance::CallResult& done) {
  const Error& error = done.outcome.error;
  const std::string text = error.code + " " + error.message;
  worker_.services().orders().Park(plan_, worker_.services().host_name, text);
  PlanTry();
  const bool retried = plan_.retry_parked > kNow;
  worker_.board().Parked(text, retried
                                   ? std::optional(*next_try_ - worker_.services().clock->BootNow())
                                   : std::nullopt);
  Log(LogLevel::kError, "SH-0340",
      retried ? "the worker is parked: this host only tries it from time to time"
              : "the worker is parked: this host no longer runs it",
      {{"worker", plan_.id},
       {"plugin", plan_.plugin},
       {"failures", std::to_string(failures_)},
       {"error", text}});
}

Microseconds WorkerLoop::AfterFence() {
  worker_.board().Standby();
  return worker_backoff_.Next();
}

// Records that no host runs it now, before the lease is free and another host may record its own
// state.
void WorkerLoop::Leave(const Grant& grant) {
  if (grant.Good()) {
    worker_.recorder().State("stopped");
    return;
  }
  Log(LogLevel::kWarn, "SH-0326", "the lease was lost; the worker stopped and tries to get it back",
      {{"worker", plan_.id}, {"plugin", plan_.plugin}});
}

}  // namespace summa::host
