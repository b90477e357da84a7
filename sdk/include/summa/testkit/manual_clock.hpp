// A clock for tests: time advances only when the test moves it, and a thread that waits for a time
// waits until then, however long the test takes. Pass it to the code under test
// (SubscribeOptions::clock) and, as MemoryBus::now, to the bus.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <list>
#include <summa/clock.hpp>
#include <summa/mutex.hpp>
#include <vector>

namespace summa::testkit {

class ManualClock final : public Clock {
 public:
  std::chrono::microseconds Now() const override {
    const MutexLock guard(mutex_);
    return now_;
  }
  void Wait(ConditionVariable& changed, Mutex& mutex, std::chrono::microseconds until) override
      SUMMA_REQUIRES(mutex) {
    std::list<Waiter>::iterator self;
    {
      const MutexLock guard(mutex_);
      if (now_ >= until) return;
      self = waiters_.insert(waiters_.end(), {&changed, &mutex, until});
    }
    waits_.notify_all();
    changed.wait(mutex);
    const MutexLock guard(mutex_);
    waiters_.erase(self);
  }

  // Wakes the threads that wait for a time that has been reached. Do not call it under a lock of
  // theirs, or while one of them is being destroyed.
  void Advance(std::chrono::microseconds time) {
    std::vector<Waiter> due;
    {
      const MutexLock guard(mutex_);
      now_ += time;
      std::copy_if(waiters_.begin(), waiters_.end(), std::back_inserter(due),
                   [this](const Waiter& waiter)
                       SUMMA_REQUIRES(mutex_) { return waiter.until <= now_; });
    }
    for (const Waiter& waiter : due) {
      // Who has said that he waits and still holds the lock is not there yet.
      { const MutexLock until_it_waits(*waiter.mutex); }
      waiter.changed->notify_all();
    }
  }

  // Waits until this many threads wait for times in the future: then everything to be done at the
  // current time is done. Returns false when they do not, however long it waits.
  bool AwaitWaiters(std::size_t threads) const {
    MutexLock guard(mutex_);
    return waits_.wait_for(guard, kTimeout,
                           [&]() SUMMA_REQUIRES(mutex_) { return Waiting() >= threads; });
  }

 private:
  static constexpr std::chrono::minutes kTimeout{3};  // machines that run tests are slow
  struct Waiter {
    ConditionVariable* changed;
    Mutex* mutex;
    std::chrono::microseconds until;
  };
  std::size_t Waiting() const SUMMA_REQUIRES(mutex_) {
    return static_cast<std::size_t>(std::count_if(
        waiters_.begin(), waiters_.end(),
        [this](const Waiter& waiter) SUMMA_REQUIRES(mutex_) { return waiter.until > now_; }));
  }

  mutable Mutex mutex_;
  mutable ConditionVariable waits_;
  std::chrono::microseconds now_ SUMMA_GUARDED_BY(mutex_){std::chrono::hours(1)};
  std::list<Waiter> waiters_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::testkit
