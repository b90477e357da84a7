// SIGTERM and SIGINT as a flag that can be waited for.
//
// Make one before any other thread is started: it blocks both signals for the thread that makes it
// and for all that come from it. The first signal asks to stop; the second one ends the process at
// once (exit 75): leases are left to expire, an open transaction is rolled back by the server.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "host/clock.hpp"

namespace summa::host {

class TerminationSignal {
 public:
  TerminationSignal();
  ~TerminationSignal();
  TerminationSignal(const TerminationSignal&) = delete;
  TerminationSignal& operator=(const TerminationSignal&) = delete;

  bool requested() const { return requested_.load(); }  // any thread
  // Waits up to `time`; true when asked to stop. Any thread.
  bool Wait(Microseconds time);

 private:
  void Listen();

  std::atomic<bool> requested_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  int signal_descriptor_ = -1;
  int end_descriptor_ = -1;
  std::thread listener_;
};

}  // namespace summa::host
