#include "host/schedule/once_runner.hpp"

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
constexpr Microseconds kLeasePollInterval = std::chrono::milliseconds(500);
// Between a lease that looked free and the next attempt: another host may have been faster.
constexpr Microseconds kOutrunPause = std::chrono::milliseconds(10);

constexpr const char* kToldBefore = "SH-0904 told to stop before the worker ran";

}  // namespace

// One worker: the policy of its runs, and what is reported of them.
class OnceRunner::Item final : private RunPolicy {
 public:
  Item(const OnceRunner& all, const WorkerPlan& plan)
      : all_(all),
        worker_(plan, all.services_, all.stop_),
        engine_(worker_, *this),
        backoff_(kFirstRetry, kLongestRetry) {
    report_.id = plan.id;
    report_.plugin = plan.plugin;
  }

  WorkerInstance& worker() { return worker_; }
  const OnceReport& report() const { return report_; }
  // True: the worker has its outcome.
  bool Attempt();
  void WaitForLease();

 private:
  using Grant = WorkerInstance::Grant;

  bool IsHeldBack(const WorkerOrders& orders) override;
  bool CallsAgain(RunProgress& run, const Grant& grant) override;
  void Finish(RunProgress& run, Grant& grant) override;
  std::uint32_t flags() const override { return SUMMA_TICK_ONCE; }

  bool AttemptOnce();
  bool After(const RunProgress& run);
  bool Ok(const TickOutcome& outcome, const Grant& grant);
  bool Failed(const WorkerInstance::CallResult& done, const Grant& grant);
  bool IsUnavailable(const Error& error) const;
  bool WaitForRetry(const std::function<bool(Microseconds)>& wait);
  void Report(const char* outcome, std::string error, int exit_code);
  void Skip();

  const OnceRunner& all_;
  WorkerInstance worker_;
  RunEngine engine_;
  Backoff backoff_;
  OnceReport report_;
  IdlePause in_vain_{Microseconds(0)};
  bool parked_ = false;    // by this host, until a call succeeds
  bool recorded_ = false;  // the last call of a run is to be written down
};

OnceRunner::OnceRunner(const std::vector<WorkerPlan>& plans, const RunnerServices& services,
                       Microseconds wait, const std::function<bool()>& stop)
    : services_(services), wait_(wait), stop_(stop), begin_(services.clock->BootNow()) {
  for (const WorkerPlan& plan : plans) items_.push_back(std::make_unique<Item>(*this, plan));
  if (items_.empty()) return;
  std::vector<std::shared_ptr<WorkerInstance>> workers;  // of the items, which outlive them
  for (const auto& item : items_) workers.emplace_back(std::shared_ptr<void>(), &item->worker());
  watch_ = std::make_unique<RunWatchdog>(workers);
  fleet_watch_ = std::make_unique<FleetWatch>(std::move(workers), services_, false);
}

OnceRunner::~OnceRunner() = default;

Microseconds OnceRunner::Remaining() const { return wait_ - (services_.clock->BootNow() - begin_); }

std::vector<OnceReport> OnceRunner::Run() {
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

void OnceRunner::LeaseLost(const std::string& worker_id) {
  for (const auto& item : items_) {
    if (item->report().id == worker_id) item->worker().LeaseLost();
  }
}

bool OnceRunner::Item::Attempt() {
  const BootTime begin = all_.services_.clock->BootNow();
  const bool finished = AttemptOnce();
  report_.duration += all_.services_.clock->BootNow() - begin;
  return finished;
}

bool OnceRunner::Item::AttemptOnce() {
  if (all_.Stopped()) {
    Report("skipped", kToldBefore, SUMMA_E_TRY_LATER);
    return true;
  }
  try {
    in_vain_ = IdlePause(Microseconds(0));
    recorded_ = false;
    return After(engine_.Run());
  } catch (const Failure& failure) {
    const Error& error = failure.error();
    worker_.board().Failed(error);
    Report("error", ToText(error), ExitCode(error));
    if (!IsUnavailable(error)) return true;
    if (WaitForRetry([this](Microseconds time) { return worker_.Wait(time); })) return false;
    if (worker_.stopping()) Report("skipped", kToldBefore, SUMMA_E_TRY_LATER);
  } catch (const std::exception& exception) {
    const Error error{"SH-0901", exception.what(), {}, "worker " + report_.id};
    worker_.board().Failed(error);
    Report("error", ToText(error), ExitCode(error));
  }
  return true;
}

bool OnceRunner::Item::After(const RunProgress& run) {
  if (run.end == RunProgress::End::kElsewhere) {
    if (all_.Remaining() > Microseconds(0)) return false;
    Skip();
  } else if (run.end == RunProgress::End::kParked) {
    Report("parked", run.why_parked, SUMMA_E_TRY_LATER);
  } else if (run.end == RunProgress::End::kCalledOff) {
    Report("skipped", kToldBefore, SUMMA_E_TRY_LATER);
  }  // the others have their report
  return true;
}

// Paused for the fleet, or parked by this host until it is resumed; this call does that when parked
// workers may be tried again.
bool OnceRunner::Item::IsHeldBack(const WorkerOrders& orders) {
  if (orders.paused) {
    Report("skipped", "SH-0341 the worker is paused", 0);
    return true;
  }
  if (orders.parked_error.empty()) return false;
  if (worker_.plan().retry_parked > Microseconds(0) && !orders.parked_everywhere) {
    parked_ = true;
    return false;
  }
  worker_.board().Parked(orders.parked_error, std::nullopt);
  Report("parked", orders.parked_error, SUMMA_E_TRY_LATER);
  return true;
}

bool OnceRunner::Item::CallsAgain(RunProgress& run, const Grant& grant) {
  ++report_.runs;
  report_.items += run.done.outcome.items;
  return run.done.result == TickResult::kOk ? Ok(run.done.outcome, grant) : Failed(run.done, grant);
}

bool OnceRunner::Item::Ok(const TickOutcome& outcome, const Grant& grant) {
  Report("ok", {}, 0);
  worker_.board().Recovered();
  if (std::exchange(parked_, false)) {
    all_.services_.orders().Unpark(report_.id, all_.services_.host_name);
  }
  recorded_ = !outcome.backlog;
  if (recorded_) return false;
  const Microseconds pause = in_vain_.After(true, outcome.items, outcome.wait_hint);
  worker_.board().InVain(in_vain_.in_vain());
  if (pause > Microseconds(0)) worker_.WaitForOrders(pause, grant);
  if (worker_.paused()) {
    Report("skipped", "SH-0341 the worker was paused while work was left", SUMMA_E_TRY_LATER);
  } else if (worker_.stopping()) {
    Report("skipped", "SH-0904 told to stop while work was left", SUMMA_E_TRY_LATER);
  } else {
    return true;
  }
  return false;
}

// What is unreachable may come back; the lease may be lost meanwhile, and then another host has the
// work.
bool OnceRunner::Item::Failed(const WorkerInstance::CallResult& done, const Grant& grant) {
  const Error& error = done.outcome.error;
  if (done.result == TickResult::kError) {
    worker_.board().Failed(error);
    const auto wait = [&](Microseconds time) { return worker_.Wait(time, grant); };
    if (IsUnavailable(error) && WaitForRetry(wait)) return true;
  }
  // The next host that runs it does the rest.
  const bool left =
      IsUnavailable(error) && (worker_.stopping() || worker_.paused() || !grant.Good());
  if (done.failed() && !left) {
    Report("error", ToText(error), ExitCode(error));
    recorded_ = true;
  } else if (worker_.paused() && !worker_.stopping()) {
    Report("skipped", "SH-0341 the worker was paused while work was left", SUMMA_E_TRY_LATER);
  } else {
    Report(worker_.stopping() ? "skipped" : "fenced", ToText(error), SUMMA_E_TRY_LATER);
  }
  return false;
}

// The next due time of a periodic worker. Not recorded: it runs once more at its old one.
void OnceRunner::Item::Finish(RunProgress& run, Grant& grant) {
  if (!recorded_) return;
  const WorkerPlan& plan = worker_.plan();
  const Error* error = run.done.failed() ? &run.done.outcome.error : nullptr;
  std::optional<Microseconds> next;
  if (!plan.continuous && error == nullptr) next = DelayUntilDue(plan, RandomFraction());
  const std::optional<Microseconds> until_due =
      worker_.recorder().Record(grant.fence(), error, next);
  if (until_due && next) grant.KeepUntilDue(*until_due);
  if (plan.continuous) worker_.recorder().State("stopped");
}

bool OnceRunner::Item::IsUnavailable(const Error& error) const {
  return ExitCode(error) == SUMMA_E_UNAVAILABLE;
}

// True: another attempt. False: no time is left, or `wait` was ended by something else.
bool OnceRunner::Item::WaitForRetry(const std::function<bool(Microseconds)>& wait) {
  const Microseconds remaining = all_.Remaining();
  if (remaining <= Microseconds(0)) return false;
  return !wait(std::min(backoff_.Next(), remaining));
}

void OnceRunner::Item::Report(const char* outcome, std::string error, int exit_code) {
  report_.outcome = outcome;
  report_.error = std::move(error);
  report_.exit_code = exit_code;
}

void OnceRunner::Item::Skip() {
  const Error error = all_.services_.leases->HeldElsewhere(report_.id);
  Report("skipped", ToText(error), ExitCode(error));
  LogError(LogLevel::kWarn, error, {{"worker", report_.id}, {"plugin", report_.plugin}});
}

void OnceRunner::Item::WaitForLease() {
  const Microseconds time = std::min(kLeasePollInterval, all_.Remaining());
  if (time <= Microseconds(0) || !worker_.plan().leased) return;
  try {
    all_.services_.leases->WaitUntilFree(report_.id, time, [this] { return all_.Stopped(); });
  } catch (const Failure&) {
    // The next attempt meets the same trouble and reports it.
  }
  worker_.Wait(kOutrunPause);
}

}  // namespace summa::host
