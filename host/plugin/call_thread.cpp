#include "host/plugin/call_thread.hpp"
#include "summa/mutex.hpp"

#include <atomic>
#include <thread>

namespace summa::host {
namespace {

std::atomic<int> busy_threads{0};
std::atomic<bool> given_up{false};  // an abandoned plugin may have created threads

}  // namespace

// Shared with the thread, which may outlive its owner.
struct CallThread::State {
  Mutex mutex;
  ConditionVariable changed;
  std::function<void()> call SUMMA_GUARDED_BY(mutex);  // not empty: in progress, or about to begin
  bool ending SUMMA_GUARDED_BY(mutex) = false;
  std::thread thread;

  void Serve() {
    MutexLock lock(mutex);
    for (;;) {
      changed.wait(lock, [this]() SUMMA_REQUIRES(mutex) { return ending || call; });
      if (!call) return;
      const std::function<void()>* const under_way = &call;  // nobody else changes it meanwhile
      lock.unlock();
      (*under_way)();
      lock.lock();
      call = nullptr;
      --busy_threads;
      changed.notify_all();
    }
  }
};

CallThread::CallThread() : state_(std::make_shared<State>()) {}

CallThread::~CallThread() {
  MutexLock lock(state_->mutex);
  state_->ending = true;
  state_->changed.notify_all();
  if (!state_->thread.joinable()) return;
  if (state_->call) {
    state_->thread.detach();
    return;
  }
  std::thread thread = std::move(state_->thread);
  lock.unlock();
  thread.join();
}

bool CallThread::Begin(std::function<void()> call) {
  const MutexLock lock(state_->mutex);
  if (state_->call || state_->ending) return false;
  if (!state_->thread.joinable()) {
    state_->thread = std::thread([state = state_] { state->Serve(); });
  }
  state_->call = std::move(call);
  ++busy_threads;
  state_->changed.notify_all();
  return true;
}

bool CallThread::WaitUntilIdle(Microseconds time) const {
  MutexLock lock(state_->mutex);
  return state_->changed.wait_for(lock, time,
                                  [this]() SUMMA_REQUIRES(state_->mutex) { return !state_->call; });
}

void CallThread::GiveUp() { given_up = true; }

bool CallThread::AnyLeft() noexcept { return given_up || busy_threads > 0; }

}  // namespace summa::host
