#include "host/schedule/due_time.hpp"

#include <algorithm>
#include <cstdint>

namespace summa::host {

Microseconds JitteredInterval(Microseconds interval, double jitter, double random) {
  const double factor = 1.0 - jitter + 2.0 * jitter * random;
  const auto span = static_cast<std::int64_t>(static_cast<double>(interval.count()) * factor);
  return Microseconds(std::max<std::int64_t>(span, 1));
}

Microseconds DelayAfterTime(const std::vector<Microseconds>& times, double jitter, double random) {
  constexpr Microseconds kDay = std::chrono::hours(24);
  Microseconds distance = std::chrono::hours(1);
  for (std::size_t i = 0; i < times.size(); ++i) {
    const Microseconds next = i + 1 < times.size() ? times[i + 1] : times.front() + kDay;
    distance = std::min(distance, next - times[i]);
  }
  return std::chrono::duration_cast<Microseconds>(distance * jitter * random);
}

Microseconds PauseUntilRun(std::optional<Microseconds> until_due, const DueRule& rule) {
  constexpr Microseconds kNow{0};
  if (!until_due) return kNow;
  if (*until_due > kNow) return *until_due;
  if (rule.run_missed_once || rule.interval <= kNow) return kNow;
  const Microseconds overdue = -*until_due;
  const Microseconds after_due_time = overdue % rule.interval;
  if (after_due_time <= rule.grace) return kNow;
  return rule.interval - after_due_time;
}

}  // namespace summa::host
