#include "calling_thread.hpp"

#include <thread>
#include <utility>

#include <summa/mutex.hpp>

namespace summa::conformance {

struct CallingThread::State {
  Mutex mutex;
  ConditionVariable changed;
  std::function<void()> call SUMMA_GUARDED_BY(mutex);
  bool busy SUMMA_GUARDED_BY(mutex) = false;
  bool ends SUMMA_GUARDED_BY(mutex) = false;
  std::thread thread;

  void Run() {
    MutexLock lock(mutex);
    for (;;) {
      changed.wait(lock, [this]() SUMMA_REQUIRES(mutex) { return ends || call; });
      if (!call) return;
      std::function<void()> next = std::exchange(call, nullptr);
      {
        const MutexUnlock unlock(mutex);
        next();
        next = nullptr;
      }
      busy = false;
      changed.notify_all();
    }
  }
};

CallingThread::CallingThread() : state_(std::make_shared<State>()) {
  state_->thread = std::thread([state = state_] { state->Run(); });
}

CallingThread::~CallingThread() {
  bool busy = false;
  {
    const MutexLock lock(state_->mutex);
    state_->ends = true;
    busy = state_->busy;
  }
  state_->changed.notify_all();
  if (busy) {
    state_->thread.detach();
  } else {
    state_->thread.join();
  }
}

void CallingThread::Begin(std::function<void()> call) {
  {
    const MutexLock lock(state_->mutex);
    state_->call = std::move(call);
    state_->busy = true;
  }
  state_->changed.notify_all();
}

bool CallingThread::Await(std::chrono::microseconds time) {
  MutexLock lock(state_->mutex);
  return state_->changed.wait_for(lock, time,
                                  [this]() SUMMA_REQUIRES(state_->mutex) { return !state_->busy; });
}

}  // namespace summa::conformance
