// Tells a worker to stop and lets it sleep until then. Sleeps are measured with the given clock
// (CLOCK_BOOTTIME), which counts suspend, where a condition variable does not. Thread-safe.
#pragma once

#include <atomic>
#include <functional>

#include "host/clock.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class StopSignal {
 public:
  // poll: an outside reason to stop, asked often; may be empty. Called by the sleeping thread.
  explicit StopSignal(const Clock& clock, std::function<bool()> poll = {})
      : clock_(&clock), poll_(std::move(poll)) {}

  void Request();
  bool requested() const;
  // Wakes a sleeper so that it looks at `interrupted` again.
  void Notify();
  // True: told to stop, or interrupted() became true. False: the time has passed.
  bool WaitFor(Microseconds time, const std::function<bool()>& interrupted = {});

 private:
  const Clock* clock_;
  std::function<bool()> poll_;
  std::atomic<bool> requested_{false};
  Mutex mutex_;
  ConditionVariable changed_;
};

}  // namespace summa::host
