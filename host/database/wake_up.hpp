// Wakes a thread that waits for a socket in poll(). Signal() from any thread; the rest belongs to
// the waiting thread. Throws std::system_error when no descriptor is left.
#pragma once

#include <atomic>

namespace summa::host {

class WakeUp {
 public:
  WakeUp();
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  void Signal() noexcept;
  void Clear() noexcept;  // forgets earlier signals
  bool signalled() const noexcept { return signalled_.load(); }
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
  std::atomic<bool> signalled_{false};  // spares a system call per statement
};

}  // namespace summa::host
