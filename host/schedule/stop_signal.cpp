#include "host/schedule/stop_signal.hpp"

#include <algorithm>

namespace summa::host {
namespace {
// The longest sleep before the clock is read again: how late a wait may end after a suspend.
constexpr Microseconds kLongestSleep = std::chrono::seconds(5);
// How often an outside reason to stop is asked for.
constexpr Microseconds kPollEvery = std::chrono::milliseconds(20);
}  // namespace

void StopSignal::Request() {
  {
    const MutexLock lock(mutex_);
    requested_ = true;
  }
  changed_.notify_all();
}

bool StopSignal::requested() const { return requested_ || (poll_ && poll_()); }

void StopSignal::Notify() {
  // Taking the lock orders the notification after a sleeper's last look.
  { const MutexLock lock(mutex_); }
  changed_.notify_all();
}

bool StopSignal::WaitFor(Microseconds time, const std::function<bool()>& interrupted) {
  const BootTime begin = clock_->BootNow();
  const Microseconds slice = poll_ ? kPollEvery : kLongestSleep;
  MutexLock lock(mutex_);
  while (true) {
    if (requested() || (interrupted && interrupted())) return true;
    const Microseconds remaining = time - (clock_->BootNow() - begin);
    if (remaining <= Microseconds(0)) return false;
    changed_.wait_for(lock, std::min(remaining, slice));
  }
}

}  // namespace summa::host
