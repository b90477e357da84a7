#include "host/plugin/call_thread.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace summa::host {
namespace {

std::atomic<int> busy_threads{0};
std::atomic<bool> given_up{false};  // a plugin that was given up may have threads of its own

}  // namespace

// Shared with the thread, which may outlive its owner.
struct CallThread::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void()> call;  // not empty: under way, or about to be
  bool ending = false;
  std::thread thread;

  void Serve() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return ending || call; });
      if (!call) return;
      lock.unlock();
      call();
      lock.lock();
      call = nullptr;
      --busy_threads;
      changed.notify_all();
    }
  }
};

CallThread::CallThread() : state_(std::make_shared<State>()) {}

CallThread::~CallThread() {
  std::unique_lock lock(state_->mutex);
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
  const std::lock_guard lock(state_->mutex);
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
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, time, [this] { return !state_->call; });
}

void CallThread::GiveUp() { given_up = true; }

bool CallThread::AnyLeft() noexcept { return given_up || busy_threads > 0; }

}  // namespace summa::host
