#include "host/schedule/worker_board.hpp"

#include "host/observe/log.hpp"

namespace summa::host {
namespace {

std::string_view Name(TickResult result) {
  switch (result) {
    case TickResult::kOk:
      return "ok";
    case TickResult::kError:
      return "error";
    case TickResult::kFenced:
      return "fenced";
    case TickResult::kStuck:
      return "stuck";
    case TickResult::kCancelled:
      break;
  }
  return "cancelled";
}

}  // namespace

WorkerBoard::WorkerBoard(const WorkerPlan& plan, const Clock& clock)
    : id_(plan.id), plugin_(plan.plugin), clock_(clock), metrics_(plan.id) {
  report_.id = plan.id;
  report_.kind = plan.kind();
  report_.plugin = plan.plugin;
  SetState("waiting");
  metrics_.Lease(false, 0);
}

void WorkerBoard::SetState(std::string_view state) {
  {
    const MutexLock lock(mutex_);
    if (report_.state == state) return;
    report_.state = state;
  }
  metrics_.State(state);
}

void WorkerBoard::Waiting(Microseconds until_due) {
  {
    const MutexLock lock(mutex_);
    report_.next_due_at = TimeText(clock_.UnixNow() + until_due);
  }
  SetState("waiting");
}

void WorkerBoard::Parked(const std::string& error, std::optional<Microseconds> until_retry) {
  {
    const MutexLock lock(mutex_);
    report_.next_due_at = until_retry ? TimeText(clock_.UnixNow() + *until_retry) : "";
    failing_code_ = error.substr(0, error.find(' '));
    report_.last_error = error;
  }
  SetState("parked");
}

void WorkerBoard::LeaseTaken(std::int64_t fence) {
  {
    const MutexLock lock(mutex_);
    report_.fence = fence;
  }
  Log(LogLevel::kInfo, "", "lease taken",
      {{"worker", id_}, {"plugin", plugin_}, {"fence", std::to_string(fence)}});
  metrics_.Lease(true, fence);
}

void WorkerBoard::LeaseGone() { metrics_.Lease(false, 0); }

void WorkerBoard::Ticked(TickResult result, std::int64_t items, Microseconds duration) {
  const UnixTime now = clock_.UnixNow();
  {
    const MutexLock lock(mutex_);
    ++report_.runs;
    report_.items += items;
    last_run_ = now;
    if (result == TickResult::kOk) last_success_ = now;
  }
  metrics_.Run(Name(result), duration);
  if (result == TickResult::kFenced) metrics_.FenceRejection();
}

void WorkerBoard::InVain(std::int64_t calls) {
  // By then its pauses add up to more than a second.
  constexpr std::int64_t kNamedAfter = 12;
  if (calls > 0) metrics_.InVain();
  const bool named = calls >= kNamedAfter;
  bool changed = false;
  {
    const MutexLock lock(mutex_);
    changed = report_.warning.empty() == named;
    report_.warning = named ? "SH-0358 it asks to be called immediately but does nothing: " +
                                  std::to_string(calls) + " consecutive calls"
                            : "";
  }
  if (!changed) return;
  if (named) {
    Log(LogLevel::kWarn, "SH-0358",
        "a worker asks to be called immediately but does nothing; it is called less often",
        {{"worker", id_}, {"plugin", plugin_}});
  } else {
    Log(LogLevel::kInfo, {}, "the worker that asked to be called immediately does something again",
        {{"worker", id_}, {"plugin", plugin_}});
  }
}

void WorkerBoard::Failed(const Error& error) {
  bool changed = false;
  {
    const MutexLock lock(mutex_);
    changed = failing_code_ != error.code;
    failing_code_ = error.code;
    report_.last_error = error.code + " " + error.message;
  }
  SetState("error");
  if (!changed) return;
  LogError(LogLevel::kError, error, {{"worker", id_}, {"plugin", plugin_}});
}

void WorkerBoard::Recovered() {
  std::string code;
  {
    const MutexLock lock(mutex_);
    code.swap(failing_code_);
    if (code.empty()) return;
    report_.last_error.clear();
  }
  Log(LogLevel::kInfo, {}, "the worker no longer fails",
      {{"worker", id_}, {"plugin", plugin_}, {"after", code}});
}

WorkerReport WorkerBoard::Report() const {
  const MutexLock lock(mutex_);
  WorkerReport report = report_;
  // Made only when somebody looks: an idle worker is called fifty times a second.
  report.last_run_at = TimeText(last_run_);
  report.last_success_at = TimeText(last_success_);
  return report;
}

}  // namespace summa::host
