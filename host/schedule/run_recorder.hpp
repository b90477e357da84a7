// Writes one worker's runs and states to the database: for continuous workers at most once a
// second, for periodic ones every run, because the next due time is in it. One thread at a time.
#pragma once

#include <optional>
#include <string>

#include "host/schedule/runner.hpp"

namespace summa::host {

class RunRecorder {
 public:
  RunRecorder(const WorkerPlan& plan, const RunnerServices& services)
      : plan_(plan), services_(services) {}

  // Records when it is time to or when ok-ness changed. error: nullptr when the run was good.
  // worked: the run did something. Failing to record does not stop the work.
  // fence: of the lease that the run had, 0 without one. What ran under an older one is not
  // recorded.
  void Continuous(std::int64_t fence, const Error* error, bool worked);
  // Records a run now. delay: DelayUntilDue() of a good run of a periodic worker. The time until the
  // worker is due again (zero without a delay, and when somebody else has the lease); nullopt: the
  // database did not take it; try again, else the run is repeated.
  std::optional<Microseconds> Record(std::int64_t fence, const Error* error,
                                     std::optional<Microseconds> delay);
  // "running", "stopped"; only while the lease is held, so that no other host is contradicted.
  // Written once per change, best effort.
  void State(const std::string& state);

 private:
  void RecordingFailed(const Error& error);
  void RecordingSucceeded();

  const WorkerPlan& plan_;
  const RunnerServices& services_;
  BootTime recorded_at_;
  bool recorded_any_ = false, recorded_ok_ = true;
  bool failing_ = false;
  std::string state_;
};

}  // namespace summa::host
