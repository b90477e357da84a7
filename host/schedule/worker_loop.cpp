#include "host/schedule/worker_loop.hpp"

#include <algorithm>

#include "host/observe/log.hpp"
#include "host/schedule/due_time.hpp"

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
constexpr Microseconds kOutrunPause = std::chrono::milliseconds(20);
// A take-over from a dead host begins this long after the end of its lease, at most.
constexpr Microseconds kTakeOver = std::chrono::seconds(1);
constexpr Microseconds kNow{0};

}  // namespace

WorkerLoop::WorkerLoop(WorkerRun& run)
    : run_(run),
      plan_(run.plan()),
      worker_backoff_(kFirstRetry, kLongestRetry),
      database_backoff_(kFirstRetry, kLongestDatabaseRetry),
      idle_(plan_.idle_poll) {}

void WorkerLoop::Run() noexcept {
  while (!run_.stopping()) {
    const Microseconds pause = Round();
    if (run_.abandoned()) return;
    run_.Wait(pause);
  }
  run_.board().Stopped();
}

// Whatever goes wrong on the way to the worker ends here, and the next round begins anew.
Microseconds WorkerLoop::Round() {
  try {
    const Microseconds pause = plan_.continuous ? Continuous() : Periodic();
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
  return database_backoff_.Next(RandomFraction());
}

Microseconds WorkerLoop::Continuous() {
  std::optional<WorkerRun::Grant> grant = TakeOrStandBy();
  if (!grant) return kNow;
  run_.board().Running();
  run_.recorder().State("running");
  idle_.Reset();
  while (!run_.stopping() && grant->Good()) {
    const WorkerRun::Done done = run_.Tick(*grant, 0);
    if (done.abandoned) return kNow;
    if (done.result == TickResult::kFenced) return AfterFence();
    if (done.result == TickResult::kCancelled) continue;
    Microseconds pause{0};
    if (done.result == TickResult::kOk) {
      worker_backoff_.Reset();
      run_.board().Recovered();
      run_.board().Running();
      run_.recorder().Continuous(nullptr, done.outcome.items > 0);
      pause = idle_.After(done.outcome.backlog, done.outcome.items, done.outcome.wait_hint);
    } else {
      run_.board().Failed(done.outcome.error);
      run_.recorder().Continuous(&done.outcome.error, true);
      pause = worker_backoff_.Next(RandomFraction());
    }
    if (pause > kNow) run_.Wait(pause, *grant);
  }
  Leave(*grant);
  return kNow;
}

Microseconds WorkerLoop::Periodic() {
  if (const Microseconds wait = UntilRun(); wait > kNow) return NotDue(wait);
  std::optional<WorkerRun::Grant> grant = TakeOrStandBy();
  if (!grant) return kNow;
  // Somebody may have run it between the look and the lease.
  if (const Microseconds wait = UntilRun(); wait > kNow) {
    grant->KeepUntilDue(wait);
    return NotDue(wait);
  }
  run_.board().Running();
  run_.recorder().State("running");
  const WorkerRun::Done done = TickWhileBacklog(*grant);
  if (done.abandoned) return kNow;
  return Finish(*grant, done);
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
  const bool free = run_.services().leases->WaitUntilFree(plan_.id, kStandbyLook,
                                                          [this] { return run_.stopping(); });
  if (free && !run_.stopping()) {
    run_.Wait(std::chrono::duration_cast<Microseconds>(kOutrunPause * RandomFraction()));
  }
}

Microseconds WorkerLoop::UntilRun() {
  const auto spread = std::chrono::duration_cast<Microseconds>(plan_.interval * plan_.jitter);
  // In time is what starts within the jitter, or as late as a take-over from a dead host takes.
  const DueRule rule{plan_.interval, plan_.run_missed_once,
                     std::max(spread, plan_.lease_ttl + kTakeOver)};
  return PauseUntilRun(run_.services().control->TimeUntilDue(plan_.id), rule);
}

Microseconds WorkerLoop::NotDue(Microseconds until_run) {
  run_.board().Recovered();
  run_.board().Waiting(until_run);
  return std::min(until_run, kLookAgain);
}

WorkerRun::Done WorkerLoop::TickWhileBacklog(const WorkerRun::Grant& grant) {
  while (true) {
    WorkerRun::Done done = run_.Tick(grant, 0);
    if (done.abandoned || done.result != TickResult::kOk || !done.outcome.backlog) return done;
    if (run_.stopping() || !grant.Good()) {
      done.result = TickResult::kCancelled;  // the rest is for the next run, which stays due
      return done;
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
      run_.board().Failed(done.outcome.error);
      // Without a new due time: it stays due, here and on every other host.
      run_.recorder().Periodic(&done.outcome.error, std::nullopt);
      return worker_backoff_.Next(RandomFraction());
  }
  worker_backoff_.Reset();
  run_.board().Recovered();
  const Microseconds next = JitteredInterval(plan_.interval, plan_.jitter, RandomFraction());
  run_.board().Waiting(next);
  RecordDue(grant, next);
  return std::min(next, kLookAgain);
}

// The lease is held until the due time is written: without it the run would be repeated at once.
void WorkerLoop::RecordDue(WorkerRun::Grant& grant, Microseconds next_due_in) {
  const Clock& clock = *run_.services().clock;
  const Microseconds begin = clock.BootTime();
  Microseconds rest = next_due_in;
  Backoff backoff(kFirstRetry, kLongestDatabaseRetry);
  while (!run_.recorder().Periodic(nullptr, rest)) {
    const bool give_up = run_.Wait(backoff.Next(RandomFraction()), grant);
    if (give_up) return;
    rest = std::max(next_due_in - (clock.BootTime() - begin), Microseconds(1));
  }
  grant.KeepUntilDue(rest);
}

Microseconds WorkerLoop::AfterFence() {
  run_.board().Standby();
  return worker_backoff_.Next(RandomFraction());
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
