#include "host/schedule/worker_due.hpp"

#include <algorithm>
#include <summa/backoff.hpp>

#include "host/observe/log.hpp"
#include "host/schedule/due_time.hpp"

namespace summa::host {
namespace {

// A take-over from a dead host begins this long after the end of its lease, at most.
constexpr Microseconds kTakeOver = std::chrono::seconds(1);
// The pause before a due time that another host has just moved is read again.
constexpr Microseconds kPollInterval = std::chrono::milliseconds(10);
constexpr Microseconds kNow{0};

}  // namespace

Microseconds DelayUntilDue(const WorkerPlan& plan, double random) {
  return plan.times.empty() ? JitteredInterval(plan.interval, plan.jitter, random)
                            : DelayAfterTime(plan.times, plan.jitter, random);
}

std::string ScheduleText(const WorkerPlan& plan) {
  if (plan.times.empty()) return "every " + std::to_string(plan.interval.count()) + "us";
  std::string text = "at";
  for (const Microseconds time : plan.times) text.append(" ").append(std::to_string(time.count()));
  return text;
}

// In time is what starts within the jitter, or as late as a take-over from a dead host takes.
Microseconds WorkerDue::Grace() const {
  const Microseconds spread =
      plan_.times.empty() ? std::chrono::duration_cast<Microseconds>(plan_.interval * plan_.jitter)
                          : DelayAfterTime(plan_.times, plan_.jitter, 1.0);
  return std::max(spread, plan_.lease_ttl + kTakeOver);
}

// A time of the day is waited for also before the first run. What is due already is run first, so
// that hosts with different configurations cannot keep each other from running it.
bool WorkerDue::Stale(const DueTime& due) const {
  if (!due.until) return !plan_.times.empty();
  if (*due.until <= kNow || due.schedule == ScheduleText(plan_)) return false;
  if (!plan_.times.empty()) return true;
  const Microseconds longest = JitteredInterval(plan_.interval, plan_.jitter, 1.0);
  return *due.until > longest;
}

std::optional<Microseconds> WorkerDue::Move(Microseconds delay, const DueTime& known) {
  RunRecord record;
  record.worker = plan_;
  record.host = services_.host_name;
  record.next_due_in = delay;
  record.times = plan_.times;
  record.schedule = ScheduleText(plan_);
  return services_.store->MoveDue(record, known);
}

Microseconds WorkerDue::UntilRun() {
  const DueTime due = services_.store->Due(plan_.id);
  if (Stale(due)) {
    return Move(DelayUntilDue(plan_, RandomFraction()), due).value_or(kPollInterval);
  }
  // Times of the day have no interval: a day is used instead, and only whether something was missed
  // matters.
  const Microseconds length = plan_.times.empty() ? plan_.interval : std::chrono::hours(24 * 365);
  const Microseconds pause = PauseUntilRun(due.until, {length, plan_.run_missed_once, Grace()});
  if (pause <= kNow || *due.until > kNow) return pause;
  // Skipped. The next due time is written, so that one host counts it and all see the same one.
  const Microseconds delay = plan_.times.empty() ? pause : DelayUntilDue(plan_, RandomFraction());
  const std::optional<Microseconds> moved = Move(delay, due);
  if (!moved) return kPollInterval;
  board_.Missed();
  Log(LogLevel::kWarn, "SH-0343", "a due time was missed and is skipped",
      {{"worker", plan_.id}, {"plugin", plan_.plugin}, {"due", due.moment}});
  return std::max(*moved, kPollInterval);
}

}  // namespace summa::host
