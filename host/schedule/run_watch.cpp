#include "host/schedule/run_watch.hpp"

#include <algorithm>

namespace summa::host {
namespace {

constexpr Microseconds kLongestLook = std::chrono::seconds(1);
constexpr Microseconds kShortestLook = std::chrono::milliseconds(50);

}  // namespace

RunWatch::RunWatch(std::vector<WorkerRun*> runs) : runs_(std::move(runs)) {
  thread_ = std::thread([this] { Watch(); });
}

RunWatch::~RunWatch() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void RunWatch::Watch() {
  Microseconds pause = kLongestLook;
  for (const WorkerRun* run : runs_) {
    if (run->plan().max_run.count() > 0) pause = std::min(pause, run->plan().max_run / 4);
  }
  pause = std::max(pause, kShortestLook);
  MutexLock lock(mutex_);
  while (!changed_.wait_for(lock, pause, [this]() SUMMA_REQUIRES(mutex_) { return stopping_; })) {
    lock.unlock();
    for (WorkerRun* run : runs_) run->CheckRunTime();
    lock.lock();
  }
}

}  // namespace summa::host
