// What people and service managers tell a process by signals, as flags that can be waited for.
//
//   SIGTERM, SIGINT, SIGQUIT   stop; the second one ends the process at once (exit 75): leases are
//                              left to expire, an open transaction is rolled back by the server
//   SIGHUP                     a service reads its configuration again; whatever else is running,
//                              and a service whose terminal is gone, stops. Not under nohup.
//   others that would end it   are named in the log and do nothing
//
// What cannot be caught or says that the process is broken (SIGKILL, SIGSEGV, ...) is not touched.
#pragma once

#include <atomic>
#include <thread>

#include "host/clock.hpp"
#include "summa/mutex.hpp"

struct signalfd_siginfo;

namespace summa::host {

class TerminationSignal {
 public:
  enum class Hangup { kStops, kReloads };
  enum class Event { kNothing, kReload, kStop };

  // The one of this process, which listens until the end of the process. Call before any other
  // thread is started: it blocks the signals for the thread that calls, and for all that come from
  // it. Later calls give the same one.
  static TerminationSignal& Listen(Hangup hangup = Hangup::kStops);
  TerminationSignal(const TerminationSignal&) = delete;
  TerminationSignal& operator=(const TerminationSignal&) = delete;

  bool requested() const { return requested_.load(); }  // any thread
  // As a signal would, however often: by whoever has started this process, or for a reason of its
  // own. Any thread.
  void RequestStop();
  void RequestReload();
  // Waits up to `time`; true when asked to stop. Any thread.
  bool Wait(Microseconds time);
  // The same, and ends for a reload as well, which is told once.
  Event WaitForEvent(Microseconds time);

 private:
  explicit TerminationSignal(Hangup hangup);
  ~TerminationSignal() = default;
  void Read();
  void Act(const signalfd_siginfo& signal);
  void Stop(const char* name, bool at_once_when_repeated);

  const Hangup hangup_;
  bool nohup_ = false;
  bool signalled_ = false;  // [listener] a signal has asked to stop
  std::atomic<bool> requested_{false};
  Mutex mutex_;
  bool reload_ SUMMA_GUARDED_BY(mutex_) = false;
  ConditionVariable changed_;
  int signal_descriptor_ = -1;
  std::thread listener_;
};

}  // namespace summa::host
