#include "host/schedule/run_recorder.hpp"

#include <summa/crash_point.hpp>

#include "host/observe/log.hpp"
#include "host/schedule/worker_due.hpp"

namespace summa::host {
namespace {

// How often a busy worker writes its last success.
constexpr Microseconds kBusyEvery = std::chrono::seconds(1);
// An idle one: often enough to be told from a dead one, seldom enough to cost nothing.
constexpr Microseconds kIdleEvery = std::chrono::seconds(5);

}  // namespace

void RunRecorder::Continuous(std::int64_t fence, const Error* error, bool worked) {
  const bool ok = error == nullptr;
  const BootTime now = services_.clock->BootNow();
  const Microseconds pause = worked && !failing_ ? kBusyEvery : kIdleEvery;
  const bool changed = !recorded_any_ || ok != recorded_ok_;
  // While the database refuses, a change waits like the rest: it is written with the next attempt.
  if (now - recorded_at_ < pause && (recorded_any_ || failing_) && (!changed || failing_)) return;
  recorded_at_ = now;
  if (Record(fence, error, std::nullopt)) {
    recorded_any_ = true;
    recorded_ok_ = ok;
  }
}

std::optional<Microseconds> RunRecorder::Record(std::int64_t fence, const Error* error,
                                                std::optional<Microseconds> delay) {
  RunRecord record;
  record.worker = plan_;
  record.host = services_.host_name;
  record.ok = error == nullptr;
  if (error != nullptr) record.error = error->code + " " + error->message;
  record.next_due_in = delay;
  record.times = plan_.times;
  record.fence = fence;
  if (delay) record.schedule = ScheduleText(plan_);
  state_.clear();  // recording a run also moves the state
  try {
    const std::optional<Microseconds> until_due = services_.store->RecordRun(record);
    CrashPoint("schedule.recorded");
    RecordingSucceeded();
    return delay ? until_due.value_or(Microseconds(0)) : Microseconds(0);
  } catch (const FencedFailure& failure) {
    LogError(LogLevel::kWarn, failure.error(), {{"worker", plan_.id}});
    return Microseconds(0);
  } catch (const Failure& failure) {
    RecordingFailed(failure.error());
    return std::nullopt;
  }
}

void RunRecorder::State(const std::string& state) {
  if (state_ == state || failing_) return;
  try {
    services_.store->RecordState(plan_, state, services_.host_name);
    state_ = state;
    RecordingSucceeded();
  } catch (const Failure& failure) {
    RecordingFailed(failure.error());
  }
}

void RunRecorder::RecordingFailed(const Error& error) {
  if (failing_) return;
  failing_ = true;
  Log(LogLevel::kWarn, "SH-0325", "the state of a worker could not be written to the database",
      {{"worker", plan_.id}, {"error", ToText(error)}});
}

void RunRecorder::RecordingSucceeded() {
  if (!failing_) return;
  failing_ = false;
  Log(LogLevel::kInfo, {}, "the state of a worker can be written again", {{"worker", plan_.id}});
}

}  // namespace summa::host
