#include <summa/reachability.hpp>

#include <algorithm>

namespace summa {
namespace {

// Users of the bus come back after pauses of at most a minute (retry_cap of the outbox).
constexpr std::chrono::minutes kForgotten{2};

}  // namespace

bool Reachability::Clear(Faults& faults, const std::string& first, const std::string& second) {
  return faults.erase({first, second}) > 0;
}

bool Reachability::Set(Faults& faults, const std::string& first, const std::string& second,
                       const std::string& reason, BootTime now) {
  const auto [fault, added] = faults.try_emplace({first, second});
  if (added) fault->second.since = now;
  fault->second.reason = reason;
  fault->second.tried = now;
  return added;
}

bool Reachability::Up(std::string_view purpose, const std::string& address) {
  const MutexLock lock(mutex_);
  return Clear(down_, std::string(purpose), address);
}

bool Reachability::Down(std::string_view purpose, const std::string& address,
                        const std::string& reason, BootTime now) {
  const MutexLock lock(mutex_);
  return Set(down_, std::string(purpose), address, reason, now);
}

void Reachability::Reader(const std::string& what, const std::string& error, BootTime now) {
  const MutexLock lock(mutex_);
  if (error.empty()) {
    Clear(readers_, what, "");
  } else {
    Set(readers_, what, "", error, now);
  }
}

bool Reachability::AllUp(std::string_view purpose) const {
  const MutexLock lock(mutex_);
  return std::none_of(down_.begin(), down_.end(),
                      [&](const auto& fault) { return fault.first.first == purpose; });
}

std::vector<Finding> Reachability::Failing(BootTime now) const {
  const MutexLock lock(mutex_);
  std::vector<Finding> failing;
  const auto seconds = [&](const Fault& fault) {
    return std::to_string(
        std::chrono::duration_cast<std::chrono::seconds>(now - fault.since).count());
  };
  for (const auto& [name, fault] : down_) {
    if (now > fault.tried + kForgotten) continue;
    std::string subject = server_.name + " at " + name.second;
    subject.append(" (").append(name.first).append(")");
    failing.push_back(
        {Severity::kError, std::move(subject),
         server_.code + " has been unreachable for " + seconds(fault) + " s: " + fault.reason, "",
         server_.advice + "; the host connects again by itself"});
  }
  for (const auto& [name, fault] : readers_) {
    if (now > fault.tried + kForgotten) continue;
    failing.push_back(
        {Severity::kError, name.first,
         "has been failing for " + seconds(fault) + " s: " + fault.reason, "",
         "`summa-host explain` says what the code means; the consumer tries again by itself"});
  }
  return failing;
}

}  // namespace summa
