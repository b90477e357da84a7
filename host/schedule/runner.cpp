#include "host/schedule/runner.hpp"

#include <algorithm>
#include <summa/crash_point.hpp>
#include <thread>

#include "host/observe/log.hpp"
#include "host/schedule/fleet_watch.hpp"
#include "host/schedule/once_runner.hpp"
#include "host/schedule/run_watchdog.hpp"
#include "host/schedule/worker_loop.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// For a runner that is destroyed while it runs.
constexpr Microseconds kDestructorDrain = std::chrono::seconds(10);

// Which threads have ended. Shared with them, because an abandoned one may end after the runner.
class EndedThreads {
 public:
  void Add() {
    const MutexLock lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool WaitFor(std::size_t count, Microseconds time) {
    MutexLock lock(mutex_);
    return changed_.wait_for(lock, time, [&]() SUMMA_REQUIRES(mutex_) { return count_ >= count; });
  }

 private:
  Mutex mutex_;
  ConditionVariable changed_;
  std::size_t count_ SUMMA_GUARDED_BY(mutex_) = 0;
};

// One worker and its thread; shared with the thread for the same reason.
struct Slot {
  Slot(const WorkerPlan& plan, const RunnerServices& services) : worker(plan, services) {}
  WorkerInstance worker;
  std::atomic<bool> ended{false};
};

}  // namespace

struct Runner::State {
  State(std::vector<WorkerPlan> given, RunnerServices given_services)
      : plans(std::move(given)), services(std::move(given_services)) {}

  // Tells, waits half the time, cancels what runs in the database (the workers' statements and the
  // host's own about them), waits the other half, abandons.
  std::vector<std::string> Stop(Microseconds drain_timeout) {
    CrashPoint("schedule.stopping");
    for (const auto& slot : slots) slot->worker.Stop();
    if (!ended->WaitFor(threads.size(), drain_timeout / 2)) {
      // First: what workers record after their statements were ended is not cancelled.
      services.store->BeginShutdown();
      for (const auto& slot : slots) {
        if (!slot->ended) slot->worker.Cancel();
      }
      ended->WaitFor(threads.size(), drain_timeout / 2);
    }
    std::vector<std::string> left;
    for (std::size_t i = 0; i < threads.size(); ++i) {
      if (!slots[i]->ended) slots[i]->worker.Abandon();
      if (slots[i]->ended) {
        threads[i].join();
        continue;
      }
      threads[i].detach();
      left.push_back(slots[i]->worker.plan().id);
      Log(LogLevel::kError, "SH-0324", "a worker did not stop in time; its lease is left to expire",
          {{"worker", left.back()}, {"plugin", slots[i]->worker.plan().plugin}});
    }
    threads.clear();
    fleet_watch.reset();
    run_watchdog.reset();
    CrashPoint("schedule.stopped");
    return left;
  }

  const std::vector<WorkerPlan> plans;
  const RunnerServices services;
  mutable Mutex mutex;  // against LeaseLost and Report
  // Changed under the mutex by the one thread that starts and stops; that one reads it without.
  std::vector<std::shared_ptr<Slot>> slots;
  std::shared_ptr<OnceRunner> once SUMMA_GUARDED_BY(mutex);
  std::vector<std::thread> threads;
  std::shared_ptr<EndedThreads> ended = std::make_shared<EndedThreads>();
  std::unique_ptr<FleetWatch> fleet_watch;
  std::unique_ptr<RunWatchdog> run_watchdog;
};

Runner::Runner(std::vector<WorkerPlan> plans, RunnerServices services)
    : state_(std::make_unique<State>(std::move(plans), std::move(services))) {}

Runner::~Runner() {
  if (!state_->threads.empty()) state_->Stop(kDestructorDrain);
}

void Runner::Start() {
  {
    const MutexLock lock(state_->mutex);
    for (const WorkerPlan& plan : state_->plans) {
      state_->slots.push_back(std::make_shared<Slot>(plan, state_->services));
    }
  }
  for (const auto& slot : state_->slots) {
    state_->threads.emplace_back([slot, ended = state_->ended] {
      WorkerLoop(slot->worker).Run();
      slot->ended = true;
      ended->Add();
    });
  }
  if (state_->slots.empty()) return;
  std::vector<std::shared_ptr<WorkerInstance>> workers;
  for (const auto& slot : state_->slots) workers.emplace_back(slot, &slot->worker);
  state_->fleet_watch = std::make_unique<FleetWatch>(workers, state_->services, true);
  state_->run_watchdog = std::make_unique<RunWatchdog>(std::move(workers));
}

std::vector<std::string> Runner::Stop(Microseconds drain_timeout) {
  return state_->Stop(drain_timeout);
}

std::vector<OnceReport> Runner::RunOnce(Microseconds wait, const std::function<bool()>& stop) {
  auto once = std::make_shared<OnceRunner>(state_->plans, state_->services, wait, stop);
  {
    const MutexLock lock(state_->mutex);
    state_->once = once;
  }
  std::vector<OnceReport> reports = once->Run();
  {
    const MutexLock lock(state_->mutex);
    state_->once.reset();
  }
  return reports;
}

std::vector<WorkerReport> Runner::Report() const {
  std::vector<std::shared_ptr<Slot>> slots;
  {
    const MutexLock lock(state_->mutex);
    slots = state_->slots;
  }
  std::vector<WorkerReport> reports;
  reports.reserve(slots.size());
  for (const auto& slot : slots) reports.push_back(slot->worker.Report());
  return reports;
}

void Runner::LeaseLost(const std::string& worker_id) {
  const MutexLock lock(state_->mutex);
  for (const auto& slot : state_->slots) {
    if (slot->worker.plan().id == worker_id) slot->worker.LeaseLost();
  }
  if (state_->once) state_->once->LeaseLost(worker_id);
}

}  // namespace summa::host
