// The order of one run of a worker, and the only place that knows it: what the fleet asks, whether
// it is due, the lease, what became of the hosts before, the calls, what is written down. A running
// host, its tries of a parked worker and `run --once` differ in their policy. One thread at a time.
#pragma once

#include <cstdint>
#include <string>

#include "host/schedule/worker_instance.hpp"

namespace summa::host {

// How far a run has come, and what came of it.
struct RunProgress {
  enum class End {
    kHeldBack,   // by what the fleet asks
    kNotDue,     // for until_due
    kElsewhere,  // somebody else has the lease
    kParked,     // hosts before this one died in the worker: nobody runs it any more
    kCalledOff,  // it was to wait after such deaths, and something else came first
    kDone,       // the calls have ended; there may have been none
    kAbandoned   // touch nothing of the host any more
  };
  End end = End::kDone;
  WorkerOrders orders;
  Microseconds until_due{0};
  std::int64_t request = 0;  // of somebody who waits for an answer; 0: of nobody
  std::string why_parked;
  WorkerInstance::CallResult done;  // the last call
  RunSummary result;                // of the calls since `began`
  BootTime began;
};

// Each function may throw; the lease is let go then.
class RunPolicy {
 public:
  virtual ~RunPolicy() = default;

  // Whether what the fleet asks keeps the worker from running here.
  virtual bool IsHeldBack(const WorkerOrders& orders) = 0;
  // Zero: run it now. Asked before the lease is taken and once more under it, because somebody may
  // have been faster. asked_for: somebody wants a run, due or not.
  virtual Microseconds UntilDue(bool /*asked_for*/) { return Microseconds(0); }
  // Makes a run that somebody asked for this host's; 0: there is none.
  virtual std::int64_t TakeRequest(const WorkerOrders& /*orders*/) { return 0; }
  // Before each call. False: there is none any more.
  virtual bool MayCall(RunProgress& /*run*/, const WorkerInstance::Grant& /*grant*/) {
    return true;
  }
  // A call has returned. False: it was the last.
  virtual bool CallsAgain(RunProgress& run, const WorkerInstance::Grant& grant) = 0;
  // After the last call, still under the lease.
  virtual void Finish(RunProgress& run, WorkerInstance::Grant& grant) = 0;

  virtual std::uint32_t flags() const { return 0; }  // SUMMA_TICK_ONCE or 0
  // max_run is for all calls of the run together, not for each.
  virtual bool limits_the_whole() const { return false; }
  // People are shown that it runs.
  virtual bool shown() const { return true; }
};

class RunEngine {
 public:
  // Both outlive it.
  RunEngine(WorkerInstance& worker, RunPolicy& policy) : worker_(worker), policy_(policy) {}
  // Throws Failure when the database cannot be asked.
  RunProgress Run();

 private:
  bool IsDue(RunProgress& run, bool asked_for);
  void UnderLease(RunProgress& run, WorkerInstance::Grant& grant);
  bool MayStart(RunProgress& run, const WorkerInstance::Start& start,
                const WorkerInstance::Grant& grant);
  void CallAll(RunProgress& run, const WorkerInstance::Grant& grant, WorkerInstance::Start& start);
  WorkerInstance::CallResult Call(const WorkerInstance::Grant& grant);

  WorkerInstance& worker_;
  RunPolicy& policy_;
};

}  // namespace summa::host
