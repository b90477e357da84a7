// What people see of one worker: its report, its metrics and its log lines. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "host/observe/worker_metrics.hpp"
#include "host/schedule/runner.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

enum class TickResult { kOk, kError, kFenced, kCancelled, kStuck };

class WorkerBoard {
 public:
  WorkerBoard(const WorkerPlan& plan, const Clock& clock);

  // States; the time is until the next due time.
  void Running() { SetState("running"); }
  void Standby() { SetState("standby"); }
  void Waiting(Microseconds until_due);
  void Stopped() { SetState("stopped"); }
  // This host gave it up; error: "SH-0320 ...". until_retry: when it is tried again, if ever.
  void Parked(const std::string& error, std::optional<Microseconds> until_retry);
  void Missed() { metrics_.Missed(); }

  void LeaseTaken(std::int64_t fence);
  void LeaseGone();

  // One call of the worker.
  void Ticked(TickResult result, std::int64_t items, Microseconds duration);
  // It asked to be called at once and did nothing, so many times in a row; 0: it does something.
  void InVain(std::int64_t calls);
  // The worker cannot work: one line per new code, state "error".
  void Failed(const Error& error);
  // It works, or another host does its work: one line when it had failed.
  void Recovered();

  WorkerReport Report() const;

 private:
  void SetState(std::string_view state);

  const std::string id_, plugin_;  // of the worker
  const Clock& clock_;
  WorkerMetrics metrics_;
  mutable Mutex mutex_;
  WorkerReport report_ SUMMA_GUARDED_BY(mutex_);
  // UnixTime(): never.
  UnixTime last_run_ SUMMA_GUARDED_BY(mutex_), last_success_ SUMMA_GUARDED_BY(mutex_);
  std::string failing_code_ SUMMA_GUARDED_BY(mutex_);  // empty: not failing
};

}  // namespace summa::host
