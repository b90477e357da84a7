#include "host/schedule/worker_loop.hpp"

#include <algorithm>
#include <exception>
#include <summa/crash_point.hpp>
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
constexpr Microseconds kLookAgain = std::chrono::seconds(60);
constexpr Microseconds kStandbyLook = std::chrono::seconds(30);
// A lease that looked free was taken by somebody faster.
constexpr Microseconds kOutrunPause = std::chrono::milliseconds(10);
constexpr Microseconds kNow{0};
// The first try of a parked worker comes after so much of its longest pause.
constexpr int kFirstProbePart = 16;

// What is away comes back, and what is asked for later is asked for again: neither says anything of
// the worker.
bool Passes(std::int32_t status) {
  return status == SUMMA_E_UNAVAILABLE || status == SUMMA_E_TRY_LATER || status == SUMMA_E_FENCED ||
         status == SUMMA_E_CANCELLED;
}
bool CannotHeal(std::int32_t status) {
  return status == SUMMA_E_CONFIG || status == SUMMA_E_DENIED;
}
// Unannounced, so it is asked for often.
bool ComesBack(const WorkerRun::Done& done) {
  return done.outcome.status == SUMMA_E_UNAVAILABLE || HealsInTheDatabase(done.outcome.error.code);
}

}  // namespace

WorkerLoop::WorkerLoop(WorkerRun& run)
    : run_(run),
      plan_(run.plan()),
      due_(plan_, run_.services(), run_.board()),
      worker_backoff_(kFirstRetry, kLongestRetry),
      database_backoff_(kFirstRetry, kLongestDatabaseRetry),
      probe_backoff_(plan_.retry_parked / kFirstProbePart, plan_.retry_parked, Jitter::kHalf),
      idle_(plan_.idle_poll) {}

void WorkerLoop::Run() noexcept {
  while (!run_.stopping()) {
    const Microseconds pause = Round();
    if (run_.abandoned()) return;
    run_.WaitForNews(pause);
  }
  run_.board().Stopped();
}

// Whatever goes wrong on the way to the worker ends here, and the next round begins anew.
Microseconds WorkerLoop::Round() {
  try {
    // Asked before every lease, so that nothing begins that somebody has just stopped.
    const WorkerOrders orders = run_.LookAtOrders();
    if (orders.parked_error.empty()) {
      next_probe_.reset();
      probe_backoff_.Reset();
    }
    const Microseconds pause = orders.hold()      ? Hold(orders)
                               : plan_.continuous ? Continuous(orders)
                                                  : Periodic(orders);
    database_backoff_.Reset();
    return pause;
  } catch (const Failure& failure) {
    if (run_.abandoned()) return kNow;
    run_.board().Failed(failure.error());
  } catch (const std::exception& exception) {
    if (run_.abandoned()) return kNow;
    run_.board().Failed({"SH-0901", exception.what(), {}, "worker " + plan_.id});
  } catch (...) {
    if (run_.abandoned()) return kNow;
    run_.board().Failed({"SH-0901", "an exception without a text", {}, "worker " + plan_.id});
  }
  return database_backoff_.Next();
}

Microseconds WorkerLoop::Hold(const WorkerOrders& orders) {
  if (!orders.parked_error.empty()) return HoldParked(orders);
  run_.board().Recovered();
  if (orders.paused) {
    run_.board().Stopped();
    return kLookAgain;
  }
  run_.board().Standby();  // until the command is done, or is known to be dead
  return std::min(orders.lease_asked_for, kLookAgain);
}

Microseconds WorkerLoop::HoldParked(const WorkerOrders& orders) {
  failures_ = 0;  // whoever lets it run again gives it all its attempts
  worker_backoff_.Reset();
  if (plan_.retry_parked == kNow || orders.parked_everywhere || orders.paused ||
      orders.lease_asked_for > kNow) {
    run_.board().Parked(orders.parked_error, std::nullopt);
    return kLookAgain;
  }
  const Clock& clock = *run_.services().clock;
  if (next_probe_ && *next_probe_ <= clock.BootNow()) return Probe(orders.parked_error);
  if (!next_probe_) PlanProbe();
  const Microseconds wait = std::max(*next_probe_ - clock.BootNow(), Microseconds(1));
  run_.board().Parked(orders.parked_error, wait);
  return std::min(wait, kLookAgain);
}

void WorkerLoop::PlanProbe() {
  next_probe_ = run_.services().clock->BootNow() + probe_backoff_.Next();
}

// Runs a parked worker once, to see whether what kept it from working is gone. Without the lease,
// which another host has that works, there is nothing to be seen.
Microseconds WorkerLoop::Probe(const std::string& known_error) {
  PlanProbe();
  if (!plan_.continuous && due_.UntilRun() > kNow) return kNow;
  std::optional<WorkerRun::Grant> grant = run_.Take();
  if (!grant) return kNow;
  WorkerRun::Start start(run_, *grant);
  if (!MayStart(start, *grant)) return kNow;
  Ran ran = plan_.continuous ? TickOnce(*grant) : TickWhileBacklog(*grant, start);
  if (ran.done.abandoned) return kNow;
  start.Returned();
  if (ran.done.result == TickResult::kFenced) return AfterFence();
  if (ran.done.result == TickResult::kCancelled) return kNow;
  const bool away = ran.done.result == TickResult::kError && Passes(ran.done.outcome.status);
  if (ran.done.failed() && !away) {
    const Error& error = ran.done.outcome.error;
    const std::string text = error.code + " " + error.message;
    if (grant->Good() && text != known_error) {
      run_.services().orders->Park(NameOf(plan_), run_.services().host_name, text);
      LogError(LogLevel::kError, error, {{"worker", plan_.id}, {"plugin", plan_.plugin}});
    }
    return kNow;  // the next round waits for the next try
  }
  run_.services().orders->Unpark(plan_.id, run_.services().host_name);
  Log(LogLevel::kInfo, "SH-0350", "a parked worker was tried and is run again",
      {{"worker", plan_.id}, {"plugin", plan_.plugin}, {"was", known_error}});
  return plan_.continuous ? kNow : Finish(*grant, ran.done);
}

Microseconds WorkerLoop::Continuous(const WorkerOrders& orders) {
  std::optional<WorkerRun::Grant> grant = TakeOrStandBy();
  if (!grant) return kNow;
  WorkerRun::Start start(run_, *grant);
  if (!MayStart(start, *grant)) return kNow;
  run_.board().Running();
  run_.recorder().State("running");
  idle_.Reset();
  std::int64_t request = TakeRequest(orders);
  Microseconds pause = kNow;
  while (!run_.stopping() && grant->Good()) {
    if (run_.news()) {
      const WorkerOrders news = run_.ReadOrders();
      if (news.hold()) break;
      if (request == 0) request = TakeRequest(news);
    }
    Ran ran = TickOnce(*grant);
    if (ran.done.abandoned) return kNow;
    start.Returned();
    Answer(std::exchange(request, 0), ran);
    if (ran.done.result == TickResult::kFenced) return AfterFence();
    if (ran.done.result == TickResult::kCancelled) continue;
    pause = Judge(ran.done, *grant);
    if (ran.done.failed() && CountFailure(ran.done)) {
      if (grant->Good()) Park(ran.done);
      return kNow;
    }
    if (pause > kNow) run_.WaitForNews(pause, *grant);
  }
  Refuse(request);  // stopped or held up in this very moment
  const bool good = grant->Good();
  Leave(*grant);
  return good ? kNow : pause;
}

// Hosts before this one may have died in the worker.
bool WorkerLoop::MayStart(const WorkerRun::Start& start, const WorkerRun::Grant& grant) {
  const std::string why = start.WhyToPark();
  if (why.empty()) return run_.WaitAfterDeaths(start, grant);
  run_.ParkEverywhere(why);
  return false;
}

// Whoever asked for a run is told that there was none.
Microseconds WorkerLoop::Refuse(std::int64_t request) {
  if (request == 0) return kNow;
  Ran none;
  none.done.result = TickResult::kCancelled;
  none.done.outcome.error = {"SH-0904", "told to stop before the worker ran", {}, {}};
  Answer(request, none);
  return kNow;
}

// What came of a call of a continuous worker; the pause before the next one.
Microseconds WorkerLoop::Judge(const WorkerRun::Done& done, const WorkerRun::Grant& grant) {
  if (done.failed()) {
    run_.board().Failed(done.outcome.error);
    if (grant.Good()) run_.recorder().Continuous(grant.fence(), &done.outcome.error, true);
    const Microseconds pause = worker_backoff_.Next();
    return ComesBack(done) ? std::min(pause, kLongestDatabaseRetry) : pause;
  }
  Succeeded();
  run_.board().Running();
  run_.recorder().Continuous(grant.fence(), nullptr, done.outcome.items > 0);
  return PauseAfter(done.outcome, idle_);
}

Microseconds WorkerLoop::PauseAfter(const TickOutcome& outcome, IdlePause& idle) {
  const Microseconds pause = idle.After(outcome.backlog, outcome.items, outcome.wait_hint);
  run_.board().InVain(idle.in_vain());
  return pause;
}

Microseconds WorkerLoop::Periodic(const WorkerOrders& orders) {
  if (orders.run_request == 0) {
    if (const Microseconds wait = due_.UntilRun(); wait > kNow) return NotDue(wait);
  }
  std::optional<WorkerRun::Grant> grant = TakeOrStandBy();
  if (!grant) return kNow;
  const std::int64_t request = TakeRequest(orders);
  if (request == 0) {
    // Somebody may have run it between the look and the lease.
    if (const Microseconds wait = due_.UntilRun(); wait > kNow) {
      grant->KeepUntilDue(wait);
      return NotDue(wait);
    }
  }
  WorkerRun::Start start(run_, *grant);
  if (!MayStart(start, *grant)) return Refuse(request);
  run_.board().Running();
  run_.recorder().State("running");
  CrashPoint("schedule.due");
  Ran ran = TickWhileBacklog(*grant, start);
  if (ran.done.abandoned) return kNow;
  const Microseconds pause = Finish(*grant, ran.done);
  Answer(request, ran);
  return pause;
}

// The lease, or nullopt when it was held by somebody else until now; then everything is looked at
// again.
std::optional<WorkerRun::Grant> WorkerLoop::TakeOrStandBy() {
  std::optional<WorkerRun::Grant> grant = run_.Take();
  if (!grant) StandBy();
  return grant;
}

void WorkerLoop::StandBy() {
  run_.board().Recovered();  // the database answers
  run_.board().Standby();
  const bool free = run_.services().leases->WaitUntilFree(
      plan_.id, kStandbyLook, [this] { return run_.stopping() || run_.news(); });
  if (free && !run_.stopping()) {
    run_.Wait(std::chrono::duration_cast<Microseconds>(kOutrunPause * RandomFraction()));
  }
}

Microseconds WorkerLoop::NotDue(Microseconds until_run) {
  run_.board().Recovered();
  run_.board().Waiting(until_run);
  return std::min(until_run, kLookAgain);
}

WorkerLoop::Ran WorkerLoop::TickOnce(const WorkerRun::Grant& grant) {
  const Clock& clock = *run_.services().clock;
  const BootTime begin = clock.BootNow();
  const WorkerRun::Span span(run_);
  Ran ran;
  ran.done = run_.Tick(grant, 0);
  if (ran.done.abandoned) return ran;
  ran.result.runs = 1;
  ran.result.items = ran.done.outcome.items;
  ran.result.duration = clock.BootNow() - begin;
  return ran;
}

WorkerLoop::Ran WorkerLoop::TickWhileBacklog(const WorkerRun::Grant& grant,
                                             WorkerRun::Start& start) {
  const Clock& clock = *run_.services().clock;
  const BootTime begin = clock.BootNow();
  const WorkerRun::Span span(run_);
  IdlePause in_vain(kNow);
  Ran ran;
  while (true) {
    ran.done = run_.Tick(grant, 0);
    if (ran.done.abandoned) return ran;
    start.Returned();
    ++ran.result.runs;
    ran.result.items += ran.done.outcome.items;
    ran.result.duration = clock.BootNow() - begin;
    if (ran.done.result != TickResult::kOk) return ran;
    const Microseconds pause = PauseAfter(ran.done.outcome, in_vain);
    if (!ran.done.outcome.backlog) return ran;
    if (pause > kNow) run_.WaitForNews(pause, grant);
    if (run_.stopping() || run_.paused() || !grant.Good()) {
      ran.done.result = TickResult::kCancelled;  // the rest is for the next run, which stays due
      return ran;
    }
  }
}

Microseconds WorkerLoop::Finish(WorkerRun::Grant& grant, const WorkerRun::Done& done) {
  switch (done.result) {
    case TickResult::kOk:
      break;
    case TickResult::kCancelled:
      if (grant.Good()) run_.recorder().State("waiting");  // it stays due
      return kNow;
    case TickResult::kFenced:
      return AfterFence();
    case TickResult::kError:
    case TickResult::kStuck: {
      run_.board().Failed(done.outcome.error);
      // Without a new due time: it stays due, here and on every other host.
      if (grant.Good()) run_.recorder().Periodic(grant.fence(), &done.outcome.error, std::nullopt);
      if (CountFailure(done) && grant.Good()) Park(done);
      const Microseconds pause = worker_backoff_.Next();
      const bool shown_again = HealsInTheDatabase(done.outcome.error.code);
      return shown_again ? std::min(pause, kLongestDatabaseRetry) : pause;
    }
  }
  Succeeded();
  RecordDue(grant, DelayUntilDue(plan_, RandomFraction()));
  return kNow;  // the next round sees how long to wait
}

// The lease is held until the due time is written: without it the run would be repeated at once.
void WorkerLoop::RecordDue(WorkerRun::Grant& grant, Microseconds delay) {
  const Clock& clock = *run_.services().clock;
  const BootTime begin = clock.BootNow();
  Microseconds rest = delay;
  Backoff backoff(kFirstRetry, kLongestDatabaseRetry);
  for (;;) {
    const std::optional<Microseconds> until_due =
        run_.recorder().Periodic(grant.fence(), nullptr, rest);
    if (until_due) {
      run_.board().Waiting(*until_due);
      grant.KeepUntilDue(*until_due);
      return;
    }
    const bool give_up = run_.Wait(backoff.Next(), grant);
    if (give_up) return;
    if (plan_.times.empty()) {
      rest = std::max(delay - (clock.BootNow() - begin), Microseconds(1));
    }
  }
}

// Ours alone: 0 when nobody asked, or somebody else does it.
std::int64_t WorkerLoop::TakeRequest(const WorkerOrders& orders) {
  if (orders.run_request == 0) return 0;
  const RunnerServices& services = run_.services();
  return services.orders->Take(orders.run_request, services.host_name) ? orders.run_request : 0;
}

void WorkerLoop::Answer(std::int64_t request, Ran& ran) {
  if (request == 0) return;
  ran.result.outcome = "ok";
  if (ran.done.result != TickResult::kOk) {
    ran.result.outcome = ran.done.failed() ? "error" : "skipped";
    ran.result.error = ToText(ran.done.outcome.error);
    ran.result.exit_code = ran.done.failed() ? ExitCode(ran.done.outcome.error) : SUMMA_E_TRY_LATER;
  }
  try {
    run_.services().orders->Finish(request, ran.result);
  } catch (const Failure& failure) {
    // Whoever asked waits in vain and is told so; the run itself counts.
    LogError(LogLevel::kWarn, failure.error(), {{"worker", plan_.id}});
  }
}

void WorkerLoop::Succeeded() {
  failures_ = 0;
  worker_backoff_.Reset();
  run_.board().Recovered();
}

// True: it was one too many, and the worker is to be parked.
bool WorkerLoop::CountFailure(const WorkerRun::Done& done) {
  const std::int32_t status = done.outcome.status;
  const bool passes = Passes(status) || HealsInTheDatabase(done.outcome.error.code);
  if (plan_.park_after == 0 || (done.result == TickResult::kError && passes)) return false;
  ++failures_;
  return failures_ >= plan_.park_after || CannotHeal(status);
}

// On this host only, however often it restarts: another one, whose plugin or configuration is in
// order, takes over. When that one fails, too, nobody is left and the state stays "parked".
void WorkerLoop::Park(const WorkerRun::Done& done) {
  const Error& error = done.outcome.error;
  const std::string text = error.code + " " + error.message;
  run_.services().orders->Park(NameOf(plan_), run_.services().host_name, text);
  PlanProbe();
  const bool retried = plan_.retry_parked > kNow;
  run_.board().Parked(text, retried ? std::optional(*next_probe_ - run_.services().clock->BootNow())
                                    : std::nullopt);
  Log(LogLevel::kError, "SH-0340",
      retried ? "the worker is parked: this host only tries it from time to time"
              : "the worker is parked: this host runs it no more",
      {{"worker", plan_.id},
       {"plugin", plan_.plugin},
       {"failures", std::to_string(failures_)},
       {"error", text}});
}

Microseconds WorkerLoop::AfterFence() {
  run_.board().Standby();
  return worker_backoff_.Next();
}

// Says that nobody runs it now, before the lease is free and somebody may say otherwise.
void WorkerLoop::Leave(const WorkerRun::Grant& grant) {
  if (grant.Good()) {
    run_.recorder().State("stopped");
    return;
  }
  Log(LogLevel::kWarn, "SH-0326", "the lease was lost; the worker stopped and tries to get it back",
      {{"worker", plan_.id}, {"plugin", plan_.plugin}});
}

}  // namespace summa::host
