// The clock that parts of the SDK use to measure time and to wait. It is injected, so that a test
// can move it: <summa/testkit/manual_clock.hpp>.
#pragma once

#include <chrono>
#include <summa/mutex.hpp>

namespace summa {

// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  // Since the machine started, including suspend time; never jumps.
  virtual std::chrono::microseconds Now() const = 0;

  // Waits until somebody notifies `changed`, or until `until`; may return earlier without a reason.
  // The mutex is locked before and after.
  virtual void Wait(ConditionVariable& changed, Mutex& mutex, std::chrono::microseconds until)
      SUMMA_REQUIRES(mutex) = 0;

  // The same until `holds` (called under the lock) is true. Returns false when `until` was reached.
  // Not checked: clang does not see that `mutex` is what `holds` requires. Its caller is checked.
  template <typename Predicate>
  bool WaitUntil(ConditionVariable& changed, Mutex& mutex, std::chrono::microseconds until,
                 Predicate holds) SUMMA_REQUIRES(mutex) SUMMA_NO_THREAD_SAFETY_CHECK {
    while (!holds()) {
      if (Now() >= until) return false;
      Wait(changed, mutex, until);
    }
    return true;
  }
};

}  // namespace summa
