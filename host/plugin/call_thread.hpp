// A thread on which the code of one plugin is called, so that a call that does not return costs
// this thread and nothing else of the host.
#pragma once

#include <functional>
#include <memory>

#include "host/clock.hpp"

namespace summa::host {

// Thread-safe. The thread is made with the first call.
class CallThread {
 public:
  CallThread();
  // Waits for nobody: a thread that is in a call is left behind.
  ~CallThread();
  CallThread(const CallThread&) = delete;
  CallThread& operator=(const CallThread&) = delete;

  // False: it is still in an earlier call, and nothing happens. What `call` refers to must live
  // until it has returned.
  bool Begin(std::function<void()> call);
  // True: no call is under way.
  bool WaitUntilIdle(Microseconds time) const;

  // Nobody waits any more for a call that is under way, on whatever thread.
  static void GiveUp();
  // Whether foreign code may still run that nobody waits for: what it was given must live until the
  // process ends, and that without destructors.
  static bool AnyLeft() noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// For std::unique_ptr: keeps for ever what plugins were given while calls of theirs are left.
struct UnlessCallsAreLeft {
  template <typename T>
  void operator()(T* object) const {
    if (!CallThread::AnyLeft()) delete object;
  }
};

}  // namespace summa::host
