// The clock that parts of the SDK use to measure time and to wait. It is injected, so that a test
// can move it: <summa/testkit/manual_clock.hpp>.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace summa {

// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  // Since the machine started, including suspend time; never jumps.
  virtual std::chrono::microseconds Now() const = 0;

  // Waits until somebody notifies `changed`, or until `until`; may return earlier without a reason.
  // The lock is held before and after.
  virtual void Wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                    std::chrono::microseconds until) = 0;

  // The same until `holds` (called under the lock) is true. Returns false when `until` was reached.
  template <typename Predicate>
  bool WaitUntil(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                 std::chrono::microseconds until, Predicate holds) {
    while (!holds()) {
      if (Now() >= until) return false;
      Wait(changed, lock, until);
    }
    return true;
  }
};

}  // namespace summa
