#include "host/schedule/once_run.hpp"

#include <algorithm>
#include <deque>
#include <exception>
#include <summa/backoff.hpp>
#include <utility>

#include "host/observe/log.hpp"
#include "host/schedule/idle_pause.hpp"
#include "host/schedule/run_engine.hpp"
#include "host/schedule/worker_due.hpp"

namespace summa::host {
namespace {

constexpr Microseconds kFirstRetry = std::chrono::milliseconds(100);
constexpr Microseconds kLongestRetry = std::chrono::seconds(5);
// How long one foreign lease is watched before the next worker in line is tried.
constexpr Microseconds kLeaseLook = std::chrono::milliseconds(500);
// Between a lease that looked free and the next attempt: another host may have been faster.
constexpr Microseconds kOutrunPause = std::chrono::milliseconds(10);

constexpr const char* kToldBefore = "SH-0904 told to stop before the worker ran";

}  // namespace

// One worker: the policy of its runs, and what is reported of them.
class OnceRun::Item final : private RunPolicy {
 public:
  Item(const OnceRun& all, const WorkerPlan& plan)
      : all_(all),
        run_(plan, all.services_, all.stop_),
        engine_(run_, *this),
        backoff_(kFirstRetry, kLongestRetry) {
    report_.id = plan.id;
    report_.plugin = plan.plugin;
  }

  WorkerRun& run() { return run_; }
  const OnceReport& report() const { return report_; }
  // True: the worker has its outcome.
  bool Attempt();
  void WaitForLease();

 private:
  using Grant = WorkerRun::Grant;

  bool HoldsBack(const WorkerOrders& orders) override;
  bool GoesOn(OneRun& run, const Grant& grant) override;
  void Finish(OneRun& run, Grant& grant) override;
  std::uint32_t flags() const override { return SUMMA_TICK_ONCE; }

  bool AttemptOnce();
  bool After(const OneRun& run);
  bool Ok(const TickOutcome& outcome, const Grant& grant);
  bool Failed(const WorkerRun::Done& done, const Grant& grant);
  bool Away(const Error& error) const;
  bool WaitForIt(const std::function<bool(Microseconds)>& wait);
  void Report(const char* outcome, std::string error, int exit_code);
  void Skip();

  const OnceRun& all_;
  WorkerRun run_;
  RunEngine engine_;
  Backoff backoff_;
  OnceReport report_;
  IdlePause in_vain_{Microseconds(0)};
  bool parked_ = false;    // by this host, until a call succeeds
  bool recorded_ = false;  // the last call of a run is to be written down
};

OnceRun::OnceRun(const std::vector<WorkerPlan>& plans, const RunnerServices& services,
                 Microseconds wait, const std::function<bool()>& stop)
    : services_(services), wait_(wait), stop_(stop), begin_(services.clock->BootNow()) {
  for (const WorkerPlan& plan : plans) items_.push_back(std::make_unique<Item>(*this, plan));
  std::vector<WorkerRun*> watched;
  for (const auto& item : items_) watched.push_back(&item->run());
  watch_ = std::make_unique<RunWatch>(std::move(watched));
  if (items_.empty()) return;
  std::vector<std::shared_ptr<WorkerRun>> runs;  // of the items, which outlive it
  for (const auto& item : items_) runs.emplace_back(std::shared_ptr<void>(), &item->run());
  fleet_watch_ = std::make_unique<FleetWatch>(std::move(runs), services_, false);
}

OnceRun::~OnceRun() = default;

Microseconds OnceRun::Remaining() const { return wait_ - (services_.clock->BootNow() - begin_); }

std::vector<OnceReport> OnceRun::Run() {
  std::deque<Item*> open;
  for (const auto& item : items_) open.push_back(item.get());
  std::size_t in_vain = 0;  // attempts since one worker was finished
  while (!open.empty()) {
    Item* item = open.front();
    open.pop_front();
    if (item->Attempt()) {
      in_vain = 0;
      continue;
    }
    open.push_back(item);
    // Every worker that could run has run: wait for the next in line.
    if (++in_vain >= open.size()) open.front()->WaitForLease();
  }
  std::vector<OnceReport> reports;
  for (const auto& item : items_) reports.push_back(item->report());
  return reports;
}

void OnceRun::LeaseLost(const std::string& worker_id) {
  for (const auto& item : items_) {
    if (item->report().id == worker_id) item->run().LeaseLost();
  }
}

bool OnceRun::Item::Attempt() {
  const BootTime begin = all_.services_.clock->BootNow();
  const bool finished = AttemptOnce();
  report_.duration += all_.services_.clock->BootNow() - begin;
  return finished;
}

bool OnceRun::Item::AttemptOnce() {
  if (all_.Stopped()) {
    Report("skipped", kToldBefore, SUMMA_E_TRY_LATER);
    return true;
  }
  try {
    in_vain_ = IdlePause(Microseconds(0));
    recorded_ = false;
    return After(engine_.Go());
  } catch (const Failure& failure) {
    const Error& error = failure.error();
    run_.board().Failed(error);
    Report("error", ToText(error), ExitCode(error));
    if (!Away(error)) return true;
    if (WaitForIt([this](Microseconds time) { return run_.Wait(time); })) return false;
    if (run_.stopping()) Report("skipped", kToldBefore, SUMMA_E_TRY_LATER);
  } catch (const std::exception& exception) {
    const Error error{"SH-0901", exception.what(), {}, "worker " + report_.id};
    run_.board().Failed(error);
    Report("error", ToText(error), ExitCode(error));
  }
  return true;
}

bool OnceRun::Item::After(const OneRun& run) {
  switch (run.end) {
    case OneRun::End::kElsewhere:
      if (all_.Remaining() > Microseconds(0)) return false;
      Skip();
      return true;
    case OneRun::End::kParked:
      Report("parked", run.why_parked, SUMMA_E_TRY_LATER);
      return true;
    case OneRun::End::kCalledOff:
      Report("skipped", kToldBefore, SUMMA_E_TRY_LATER);
      return true;
    case OneRun::End::kHeldBack:  // the others have their report
    case OneRun::End::kNotDue:
    case OneRun::End::kDone:
    case OneRun::End::kAbandoned:
      break;
  }
  return true;
}

// Paused for the fleet, or parked by this host until it is resumed; this call does that when parked
// workers may be tried again.
bool OnceRun::Item::HoldsBack(const WorkerOrders& orders) {
  if (orders.paused) {
    Report("skipped", "SH-0341 the worker is paused", 0);
    return true;
  }
  if (orders.parked_error.empty()) return false;
  if (run_.plan().retry_parked > Microseconds(0) && !orders.parked_everywhere) {
    parked_ = true;
    return false;
  }
  run_.board().Parked(orders.parked_error, std::nullopt);
  Report("parked", orders.parked_error, SUMMA_E_TRY_LATER);
  return true;
}

bool OnceRun::Item::GoesOn(OneRun& run, const Grant& grant) {
  ++report_.runs;
  report_.items += run.done.outcome.items;
  return run.done.result == TickResult::kOk ? Ok(run.done.outcome, grant) : Failed(run.done, grant);
}

bool OnceRun::Item::Ok(const TickOutcome& outcome, const Grant& grant) {
  Report("ok", {}, 0);
  run_.board().Recovered();
  if (std::exchange(parked_, false)) {
    all_.services_.orders().Unpark(report_.id, all_.services_.host_name);
  }
  recorded_ = !outcome.backlog;
  if (recorded_) return false;
  const Microseconds pause = in_vain_.After(true, outcome.items, outcome.wait_hint);
  run_.board().InVain(in_vain_.in_vain());
  if (pause > Microseconds(0)) run_.WaitForNews(pause, grant);
  if (run_.paused()) {
    Report("skipped", "SH-0341 the worker was paused while work was left", SUMMA_E_TRY_LATER);
  } else if (run_.stopping()) {
    Report("skipped", "SH-0904 told to stop while work was left", SUMMA_E_TRY_LATER);
  } else {
    return true;
  }
  return false;
}

// What is unreachable may come back; the lease may be lost meanwhile, and then another host has the
// work.
bool OnceRun::Item::Failed(const WorkerRun::Done& done, const Grant& grant) {
  const Error& error = done.outcome.error;
  if (done.result == TickResult::kError) {
    run_.board().Failed(error);
    const auto wait = [&](Microseconds time) { return run_.Wait(time, grant); };
    if (Away(error) && WaitForIt(wait)) return true;
  }
  // The next host that runs it does the rest.
  const bool left = Away(error) && (run_.stopping() || run_.paused() || !grant.Good());
  if (done.failed() && !left) {
    Report("error", ToText(error), ExitCode(error));
    recorded_ = true;
  } else if (run_.paused() && !run_.stopping()) {
    Report("skipped", "SH-0341 the worker was paused while work was left", SUMMA_E_TRY_LATER);
  } else {
    Report(run_.stopping() ? "skipped" : "fenced", ToText(error), SUMMA_E_TRY_LATER);
  }
  return false;
}

// The next due time of a periodic worker. Not recorded: it runs once more at its old one.
void OnceRun::Item::Finish(OneRun& run, Grant& grant) {
  if (!recorded_) return;
  const WorkerPlan& plan = run_.plan();
  const Error* error = run.done.failed() ? &run.done.outcome.error : nullptr;
  std::optional<Microseconds> next;
  if (!plan.continuous && error == nullptr) next = DelayUntilDue(plan, RandomFraction());
  const std::optional<Microseconds> until_due =
      run_.recorder().Periodic(grant.fence(), error, next);
  if (until_due && next) grant.KeepUntilDue(*until_due);
  if (plan.continuous) run_.recorder().State("stopped");
}

bool OnceRun::Item::Away(const Error& error) const {
  return ExitCode(error) == SUMMA_E_UNAVAILABLE;
}

// True: another attempt. False: no time is left, or `wait` was ended by something else.
bool OnceRun::Item::WaitForIt(const std::function<bool(Microseconds)>& wait) {
  const Microseconds remaining = all_.Remaining();
  if (remaining <= Microseconds(0)) return false;
  return !wait(std::min(backoff_.Next(), remaining));
}

void OnceRun::Item::Report(const char* outcome, std::string error, int exit_code) {
  report_.outcome = outcome;
  report_.error = std::move(error);
  report_.exit_code = exit_code;
}

void OnceRun::Item::Skip() {
  const Error error = all_.services_.leases->HeldElsewhere(report_.id);
  Report("skipped", ToText(error), ExitCode(error));
  LogError(LogLevel::kWarn, error, {{"worker", report_.id}, {"plugin", report_.plugin}});
}

void OnceRun::Item::WaitForLease() {
  const Microseconds time = std::min(kLeaseLook, all_.Remaining());
  if (time <= Microseconds(0) || !run_.plan().leased) return;
  try {
    all_.services_.leases->WaitUntilFree(report_.id, time, [this] { return all_.Stopped(); });
  } catch (const Failure&) {
    // The next attempt meets the same trouble and reports it.
  }
  run_.Wait(kOutrunPause);
}

}  // namespace summa::host
