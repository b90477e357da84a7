// A clock for tests: time advances only when the test moves it, and a thread that waits for a time
// waits until then, however long the test takes. Pass it to the code under test
// (SubscribeOptions::clock) and, as MemoryBus::now, to the bus.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <iterator>
#include <list>
#include <mutex>
#include <summa/clock.hpp>
#include <vector>

namespace summa::testkit {

class ManualClock final : public Clock {
 public:
  std::chrono::microseconds Now() const override {
    const std::lock_guard guard(mutex_);
    return now_;
  }
  void Wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
            std::chrono::microseconds until) override {
    std::list<Waiter>::iterator self;
    {
      const std::lock_guard guard(mutex_);
      if (now_ >= until) return;
      self = waiters_.insert(waiters_.end(), {&changed, lock.mutex(), until});
    }
    waits_.notify_all();
    changed.wait(lock);
    const std::lock_guard guard(mutex_);
    waiters_.erase(self);
  }

  // Wakes the threads that wait for a time that has been reached. Do not call it under a lock of
  // theirs, or while one of them is being destroyed.
  void Advance(std::chrono::microseconds time) {
    std::vector<Waiter> due;
    {
      const std::lock_guard guard(mutex_);
      now_ += time;
      std::copy_if(waiters_.begin(), waiters_.end(), std::back_inserter(due),
                   [this](const Waiter& waiter) { return waiter.until <= now_; });
    }
    for (const Waiter& waiter : due) {
      // Who has said that he waits and still holds the lock is not there yet.
      { const std::lock_guard until_it_waits(*waiter.mutex); }
      waiter.changed->notify_all();
    }
  }

  // Waits until this many threads wait for times in the future: then everything to be done at the
  // current time is done. Returns false when they do not, however long it waits.
  bool AwaitWaiters(std::size_t threads) const {
    std::unique_lock guard(mutex_);
    return waits_.wait_for(guard, kPatience, [&] { return Waiting() >= threads; });
  }

 private:
  static constexpr std::chrono::minutes kPatience{3};  // machines that run tests are slow
  struct Waiter {
    std::condition_variable* changed;
    std::mutex* mutex;
    std::chrono::microseconds until;
  };
  std::size_t Waiting() const {
    return static_cast<std::size_t>(
        std::count_if(waiters_.begin(), waiters_.end(),
                      [this](const Waiter& waiter) { return waiter.until > now_; }));
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable waits_;
  std::chrono::microseconds now_{std::chrono::hours(1)};
  std::list<Waiter> waiters_;
};

}  // namespace summa::testkit
