#include "plugins/bus-redis/reachability.hpp"

namespace summa::bus_redis {
namespace {

// Users of the bus come back after pauses of at most a minute (retry_cap of the outbox).
constexpr Reachability::Microseconds kForgotten = std::chrono::minutes(2);

}  // namespace

bool Reachability::Up(std::string_view purpose) {
  const std::lock_guard lock(mutex_);
  const auto found = down_.find(purpose);
  if (found == down_.end()) return false;
  down_.erase(found);
  return true;
}

bool Reachability::Down(std::string_view purpose, const std::string& reason, Microseconds now) {
  const std::lock_guard lock(mutex_);
  const auto [fault, added] = down_.try_emplace(std::string(purpose));
  if (added) fault->second.since = now;
  fault->second.reason = reason;
  fault->second.tried = now;
  return added;
}

std::vector<Finding> Reachability::Failing(const std::string& address, Microseconds now) const {
  const std::lock_guard lock(mutex_);
  std::vector<Finding> failing;
  for (const auto& [purpose, fault] : down_) {
    if (now > fault.tried + kForgotten) continue;
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now - fault.since).count();
    std::string subject = "Redis at " + address;
    subject.append(" (").append(purpose).append(")");
    failing.push_back(
        {Severity::kError, std::move(subject),
         "SH-0601 not reachable since " + std::to_string(seconds) + " s: " + fault.reason, "",
         "start Redis or correct plugins.bus-redis.url; the host connects again by "
         "itself"});
  }
  return failing;
}

}  // namespace summa::bus_redis
