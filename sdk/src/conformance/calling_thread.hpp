// The one thread on which a plugin is called, so that a call that does not return is noticed.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace summa::conformance {

// One caller. The thread is left behind in a call that does not return.
class CallingThread {
 public:
  CallingThread();
  ~CallingThread();
  CallingThread(const CallingThread&) = delete;
  CallingThread& operator=(const CallingThread&) = delete;

  // `call` throws nothing. What it refers to lives until it has returned.
  void Begin(std::function<void()> call);
  // False: it has not returned within this time.
  bool Await(std::chrono::microseconds time);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace summa::conformance
