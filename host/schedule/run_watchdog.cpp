#include "host/schedule/run_watchdog.hpp"

#include <algorithm>

namespace summa::host {
namespace {

constexpr Microseconds kLongestCheckInterval = std::chrono::seconds(1);
constexpr Microseconds kShortestCheckInterval = std::chrono::milliseconds(50);

}  // namespace

RunWatchdog::RunWatchdog(std::vector<std::shared_ptr<WorkerInstance>> workers)
    : workers_(std::move(workers)) {
  thread_ = std::thread([this] { Watch(); });
}

RunWatchdog::~RunWatchdog() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void RunWatchdog::Watch() {
  Microseconds pause = kLongestCheckInterval;
  for (const auto& worker : workers_) {
    if (worker->plan().max_run.count() > 0) pause = std::min(pause, worker->plan().max_run / 4);
  }
  pause = std::max(pause, kShortestCheckInterval);
  MutexLock lock(mutex_);
  while (!changed_.wait_for(lock, pause, [this]() SUMMA_REQUIRES(mutex_) { return stopping_; })) {
    lock.unlock();
    for (const auto& worker : workers_) worker->CheckRunTime();
    lock.lock();
  }
}

}  // namespace summa::host
