#include "host/schedule/once_run.hpp"

#include <algorithm>
#include <deque>
#include <exception>
#include <utility>

#include "host/observe/log.hpp"
#include "host/schedule/idle_pause.hpp"
#include "host/schedule/worker_due.hpp"

namespace summa::host {
namespace {

constexpr Microseconds kFirstRetry = std::chrono::milliseconds(100);
constexpr Microseconds kLongestRetry = std::chrono::seconds(5);
// How long one foreign lease is watched before the next worker in line is tried.
constexpr Microseconds kLeaseLook = std::chrono::milliseconds(500);
constexpr Microseconds kHolderLook = std::chrono::milliseconds(200);
// Between a lease that looked free and the next attempt: somebody may have been faster.
constexpr Microseconds kOutrunPause = std::chrono::milliseconds(10);

}  // namespace

struct OnceRun::Item {
  Item(const WorkerPlan& plan, const RunnerServices& services, const std::function<bool()>& stop)
      : run(plan, services, stop), backoff(kFirstRetry, kLongestRetry) {
    report.id = plan.id;
    report.plugin = plan.plugin;
  }
  WorkerRun run;
  Backoff backoff;
  OnceReport report;
  bool parked = false;  // by this host, until a call succeeds
};

OnceRun::OnceRun(const std::vector<WorkerPlan>& plans, const RunnerServices& services,
                 Microseconds wait, const std::function<bool()>& stop)
    : services_(services), wait_(wait), stop_(stop), begin_(services.clock->BootNow()) {
  for (const WorkerPlan& plan : plans) {
    items_.push_back(std::make_unique<Item>(plan, services_, stop_));
  }
  std::vector<WorkerRun*> watched;
  for (const auto& item : items_) watched.push_back(&item->run);
  watch_ = std::make_unique<RunWatch>(std::move(watched));
  if (items_.empty()) return;
  std::vector<std::shared_ptr<WorkerRun>> runs;  // of the items, which outlive it
  for (const auto& item : items_) runs.emplace_back(std::shared_ptr<void>(), &item->run);
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
    const BootTime attempt_begin = services_.clock->BootNow();
    const bool finished = Attempt(*item);
    item->report.duration += services_.clock->BootNow() - attempt_begin;
    if (finished) {
      in_vain = 0;
      continue;
    }
    open.push_back(item);
    // Everybody who could be run was run: wait for whoever is next in line.
    if (++in_vain >= open.size()) WaitForLease(*open.front());
  }
  std::vector<OnceReport> reports;
  for (const auto& item : items_) reports.push_back(item->report);
  return reports;
}

void OnceRun::LeaseLost(const std::string& worker_id) {
  for (const auto& item : items_) {
    if (item->report.id == worker_id) item->run.LeaseLost();
  }
}

// True: the worker has its outcome.
bool OnceRun::Attempt(Item& item) {
  try {
    if (stop_ && stop_()) {
      item.report.outcome = "skipped";
      item.report.error = "SH-0904 told to stop before the worker ran";
      item.report.exit_code = SUMMA_E_TRY_LATER;
      return true;
    }
    if (HeldBack(item)) return true;
    std::optional<WorkerRun::Grant> grant = item.run.Take();
    if (grant) {
      TickUntilIdle(item, *grant);
      return true;
    }
    if (Remaining() > Microseconds(0)) return false;
    Skip(item);
  } catch (const Failure& failure) {
    if (Retry(item, failure.error())) return false;
  } catch (const std::exception& exception) {
    Retry(item, {"SH-0901", exception.what(), {}, "worker " + item.report.id});
  }
  return true;
}

// Paused for the fleet, or given up by this host until somebody says otherwise; this call does when
// parked workers are tried again at all.
bool OnceRun::HeldBack(Item& item) {
  const WorkerOrders orders = item.run.LookAtOrders();
  if (orders.paused) {
    item.report.outcome = "skipped";
    item.report.error = "SH-0341 the worker is paused";
    return true;
  }
  if (orders.parked_error.empty()) return false;
  if (item.run.plan().retry_parked > Microseconds(0) && !orders.parked_everywhere) {
    item.parked = true;
    return false;
  }
  item.run.board().Parked(orders.parked_error, std::nullopt);
  Parked(item, orders.parked_error);
  return true;
}

void OnceRun::Parked(Item& item, const std::string& error) {
  item.report.outcome = "parked";
  item.report.error = error;
  item.report.exit_code = SUMMA_E_TRY_LATER;
}

void OnceRun::Skip(Item& item) {
  // One look, so that the holder can be named.
  services_.leases->WaitUntilFree(item.report.id, kHolderLook, [] { return false; });
  const std::string holder = services_.leases->Status(item.report.id).holder;
  const Error error{"SH-0323",
                    "the lease of the worker is held by " +
                        (holder.empty() ? std::string("another process") : holder),
                    "wait until that host lets it go, give a longer --wait, or stop that host",
                    "worker " + item.report.id, SUMMA_E_TRY_LATER};
  item.report.outcome = "skipped";
  item.report.error = ToText(error);
  item.report.exit_code = ExitCode(error);
  LogError(LogLevel::kWarn, error, {{"worker", item.report.id}, {"plugin", item.report.plugin}});
}

// After a failure of a dependency: true when there is time for another attempt, after a pause.
// Else the report says what happened.
bool OnceRun::Retry(Item& item, const Error& error) {
  item.run.board().Failed(error);
  item.report.outcome = "error";
  item.report.error = ToText(error);
  item.report.exit_code = ExitCode(error);
  if (item.report.exit_code != SUMMA_E_UNAVAILABLE || Remaining() <= Microseconds(0)) return false;
  return !item.run.Wait(std::min(item.backoff.Next(), Remaining()));
}

// max_run is for one call: how much backlog there is says nothing about a worker that hangs.
WorkerRun::Done OnceRun::Tick(Item& item, const WorkerRun::Grant& grant) {
  const WorkerRun::Span span(item.run);
  return item.run.Tick(grant, SUMMA_TICK_ONCE);
}

void OnceRun::TickUntilIdle(Item& item, WorkerRun::Grant& grant) {
  OnceReport& report = item.report;
  WorkerRun::Start start(item.run, grant);
  if (const std::string why = start.WhyToPark(); !why.empty()) {
    item.run.ParkEverywhere(why);
    return Parked(item, why);
  }
  if (!item.run.WaitAfterDeaths(start, grant)) {
    report.error = "SH-0904 told to stop before the worker ran";
    report.exit_code = SUMMA_E_TRY_LATER;
    report.outcome = "skipped";
    return;
  }
  item.run.board().Running();
  item.run.recorder().State("running");
  IdlePause in_vain(Microseconds(0));
  while (true) {
    const WorkerRun::Done done = Tick(item, grant);
    start.Returned();
    ++report.runs;
    report.items += done.outcome.items;
    if (done.result == TickResult::kOk) {
      report.outcome = "ok";
      report.error.clear();
      report.exit_code = 0;
      item.run.board().Recovered();
      if (std::exchange(item.parked, false))
        services_.orders->Unpark(report.id, services_.host_name);
      if (!done.outcome.backlog) return Record(item, grant, nullptr);
      const TickOutcome& outcome = done.outcome;
      const Microseconds pause = in_vain.After(true, outcome.items, outcome.wait_hint);
      item.run.board().InVain(in_vain.in_vain());
      if (pause > Microseconds(0)) item.run.WaitForNews(pause, grant);
      if (item.run.paused()) return Paused(item);
      if (!item.run.stopping()) continue;
      report.error = "SH-0904 told to stop while work was left";
      report.exit_code = SUMMA_E_TRY_LATER;
      report.outcome = "skipped";
      return;
    }
    if (done.result == TickResult::kError && Retry(item, done.outcome.error)) continue;
    return Failed(item, grant, done);
  }
}

// While work was left.
void OnceRun::Paused(Item& item) {
  item.report.outcome = "skipped";
  item.report.error = "SH-0341 the worker was paused while work was left";
  item.report.exit_code = SUMMA_E_TRY_LATER;
}

void OnceRun::Failed(Item& item, WorkerRun::Grant& grant, const WorkerRun::Done& done) {
  OnceReport& report = item.report;
  report.error = ToText(done.outcome.error);
  if (done.failed()) {
    report.outcome = "error";
    report.exit_code = ExitCode(done.outcome.error);
    return Record(item, grant, &done.outcome.error);
  }
  if (item.run.paused() && !item.run.stopping()) return Paused(item);
  report.outcome =
      item.run.stopping() ? "skipped" : "fenced";  // told to stop, or the lease is gone
  report.exit_code = SUMMA_E_TRY_LATER;
}

void OnceRun::Record(Item& item, WorkerRun::Grant& grant, const Error* error) {
  const WorkerPlan& plan = item.run.plan();
  std::optional<Microseconds> next;
  if (!plan.continuous && error == nullptr) {
    next = DelayUntilDue(plan, RandomFraction());
  }
  // Not recorded: the worker runs once more at its old due time.
  const std::optional<Microseconds> until_due =
      item.run.recorder().Periodic(grant.fence(), error, next);
  if (until_due && next) grant.KeepUntilDue(*until_due);
  if (plan.continuous) item.run.recorder().State("stopped");
}

void OnceRun::WaitForLease(Item& item) {
  const Microseconds time = std::min(kLeaseLook, Remaining());
  if (time <= Microseconds(0) || !item.run.plan().leased) return;
  try {
    services_.leases->WaitUntilFree(item.report.id, time, [this] { return stop_ && stop_(); });
  } catch (const Failure&) {
    // The next attempt meets the same trouble and reports it.
  }
  item.run.Wait(kOutrunPause);
}

}  // namespace summa::host
