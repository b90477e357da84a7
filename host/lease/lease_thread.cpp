// The keeper's thread: renewals first, then looks for those who wait, then the next pause.
#include <algorithm>
#include <exception>

#include "host/lease/lease_keeper.hpp"
#include "host/observe/host_metrics.hpp"
#include "host/observe/log.hpp"
#include "summa/assert.hpp"
#include "summa/crash_point.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;

// How long a standby needs at most to see that a lease was released: with the pause before it
// tries, a hand-over stays below 100 ms. One SELECT per host, and only while somebody waits: twenty
// in a second are far below a hundredth of a core.
constexpr Microseconds kCheckInterval = milliseconds(50);
// After a look that failed: asking more often does not help the database.
constexpr Microseconds kCheckRetry = milliseconds(500);
// A condition variable does not count the time in which the machine sleeps; the clock of the leases
// does. So look at it at least this often while there is something to lose.
constexpr Microseconds kLongestPause = milliseconds(100);
constexpr Microseconds kNone{0};
constexpr Microseconds kLongestTimeout = std::chrono::seconds(2);
constexpr Microseconds kShortestTimeout = milliseconds(10);

// Quick enough for several tries within the trust that is left, slow enough for a struggling
// server.
Microseconds RetryPause(Microseconds time_to_live) {
  return std::clamp<Microseconds>(time_to_live / 12, milliseconds(20), milliseconds(500));
}

void CountRenewal(const std::optional<TextRows>& rows) {
  const char* outcome = "failed";
  if (rows) outcome = rows->empty() ? "lost" : "renewed";
  HostMetric("summa_lease_renewals_total", {outcome}).Add(1);
}

}  // namespace

void LeaseKeeper::Run() {
  const MutexLock lock(mutex_);
  while (!stopping_) {
    ReportLost();
    if (const std::string worker = NextRenewal(); !worker.empty()) {
      Renew(worker);
    } else if (IsCheckDue()) {
      CheckWatched();
    } else if (IsReconnectDue()) {
      Reconnect();
    } else {
      Pause();
    }
  }
}

void LeaseKeeper::ReportLost() {
  std::vector<std::string> lost;
  const BootTime now = clock_.BootNow();
  for (auto lease = leases_.begin(); lease != leases_.end();) {
    if (lease->second.trusted_until > now) {
      ++lease;
      continue;
    }
    lost.push_back(lease->first);
    lease = leases_.erase(lease);
  }
  if (lost.empty()) return;
  const MutexUnlock unlock(mutex_);
  for (const std::string& worker : lost) {
    Log(LogLevel::kWarn, "SH-0305", "a lease can no longer be trusted; its worker is told to stop",
        {{"worker", worker}});
    if (on_lost_) on_lost_(worker);
  }
}

// The one that ends first among those that are due.
std::string LeaseKeeper::NextRenewal() const {
  const BootTime now = clock_.BootNow();
  const Lease* next = nullptr;
  for (const auto& [worker, lease] : leases_) {
    if (lease.renew_at > now) continue;
    if (next == nullptr || lease.trusted_until < next->trusted_until) next = &lease;
  }
  return next == nullptr ? std::string() : next->guard.worker_id;
}

// No repetition: the next round asks again, with what is left of the trust by then.
TextRows LeaseKeeper::QueryForThread(const std::string& sql, const TextParameters& parameters,
                                     Microseconds timeout) {
  return thread_connection_.Query(sql, parameters, std::chrono::steady_clock::now() + timeout,
                                  WhenLost::kFail);
}

// Without the lock.
std::optional<TextRows> LeaseKeeper::AskToRenew(const std::string& worker_id,
                                                Microseconds time_to_live, Microseconds timeout) {
  const MutexUnlock unlock(mutex_);
  try {
    return QueryForThread(statements_.renew,
                          {worker_id, holder_, std::to_string(time_to_live.count())}, timeout);
  } catch (const Failure& failure) {
    if (!thread_connection_.stopped()) {
      LogError(LogLevel::kWarn, failure.error(), {{"renewal of", worker_id}});
    }
  } catch (const std::exception& error) {
    Log(LogLevel::kWarn, "SH-0303", "a lease could not be renewed", {{"why", error.what()}});
  }
  return std::nullopt;
}

void LeaseKeeper::Renew(const std::string& worker_id) {
  Lease& due = leases_.at(worker_id);
  SUMMA_ASSERT(!due.renewing);  // one thread renews, one lease after the other
  due.renewing = true;
  const std::uint64_t serial = due.serial;
  const Microseconds time_to_live = due.guard.time_to_live;
  const BootTime asked_at = clock_.BootNow();
  // Half of what is left: a server that does not answer leaves time for a second try elsewhere.
  const Microseconds timeout =
      std::clamp((due.trusted_until - asked_at) / 2, kShortestTimeout, kLongestTimeout);
  const std::optional<TextRows> rows = AskToRenew(worker_id, time_to_live, timeout);
  if (rows) {
    reconnect_at_.reset();
  } else {
    reconnect_at_ = clock_.BootNow();
  }
  news_.notify_all();
  const auto found = leases_.find(worker_id);
  if (found == leases_.end()) return;
  Lease& lease = found->second;
  lease.renewing = false;
  CountRenewal(rows);
  if (lease.serial != serial) return;  // acquired again meanwhile: this answer is older
  if (!rows) {
    lease.renew_at = clock_.BootNow() + RetryPause(time_to_live);
  } else if (rows->empty()) {
    lease.trusted_until = BootTime();  // reported by the next round
  } else {
    lease.Extend(asked_at);
    CrashPoint("lease.renewed");
  }
}

bool LeaseKeeper::IsCheckDue() const {
  const BootTime now = clock_.BootNow();
  return std::any_of(watches_.begin(), watches_.end(),
                     [now](const auto& entry) { return entry.second.next_check <= now; });
}

// Without the lock.
std::optional<TextRows> LeaseKeeper::AskToLook(const std::vector<std::string>& workers,
                                               Microseconds timeout) {
  const MutexUnlock unlock(mutex_);
  try {
    return QueryForThread(statements_.check, {TextArrayLiteral(workers), holder_}, timeout);
  } catch (const std::exception& error) {
    if (!thread_connection_.stopped()) {
      Log(LogLevel::kWarn, "SH-0303", "the leases could not be read", {{"why", error.what()}});
    }
  }
  return std::nullopt;
}

// One plain SELECT for everybody: it locks nothing and writes nothing.
void LeaseKeeper::CheckWatched() {
  const BootTime asked_at = clock_.BootNow();
  std::vector<std::string> workers;
  for (auto& [worker, watch] : watches_) {
    workers.push_back(worker);
    watch.next_check = asked_at + kCheckRetry;
  }
  ++checks_;
  // Renewals of ours come first: never wait here longer than until the next one.
  Microseconds timeout = kLongestTimeout;
  for (const auto& [worker, lease] : leases_) {
    timeout = std::min(timeout, (lease.trusted_until - clock_.BootNow()) / 4);
  }
  timeout = std::max(timeout, kShortestTimeout);
  const std::optional<TextRows> rows = AskToLook(workers, timeout);
  if (rows) RecordCheck(*rows, workers, asked_at);
  news_.notify_all();
}

void LeaseKeeper::RecordCheck(const TextRows& rows, const std::vector<std::string>& workers,
                              BootTime asked_at) {
  const BootTime now = clock_.BootNow();
  for (const std::string& worker : workers) {
    const auto found = watches_.find(worker);
    others_.erase(worker);
    if (found == watches_.end()) continue;
    found->second.last_check = checks_;
    found->second.is_free = true;  // no row: nobody has it
    // Otherwise a new waiter needs a newer look.
    if (found->second.next_check > now) found->second.next_check = now + kCheckInterval;
  }
  for (const auto& row : rows) {
    if (row.at(2) == "t") continue;
    const std::string worker = row.at(0).value();
    std::optional<BootTime> until;
    if (row.at(3)) until = asked_at + Microseconds(std::stoll(*row.at(3)));
    if (!leases_.contains(worker)) others_[worker] = {row.at(1).value(), until};
    const auto found = watches_.find(worker);
    if (found == watches_.end()) continue;
    found->second.is_free = false;
    if (found->second.next_check <= now || !until) continue;
    // Soon after its end, when that is sooner.
    const Microseconds soon = std::max<Microseconds>(*until - now, kNone) + milliseconds(1);
    found->second.next_check = std::min(found->second.next_check, now + soon);
  }
}

bool LeaseKeeper::IsReconnectDue() const {
  return reconnect_at_ && *reconnect_at_ <= clock_.BootNow();
}

// A renewal of a short lease has no time to open a connection to a slow server: each lease would
// then be lost like the one before it. So a lost connection is opened with more patience, also
// while no lease is held. The renewal that failed has said why.
void LeaseKeeper::Reconnect() {
  Microseconds timeout = kLongestTimeout;
  for (const auto& [worker, lease] : leases_) {
    timeout = std::min(timeout, (lease.trusted_until - clock_.BootNow()) / 2);
  }
  timeout = std::max(timeout, kShortestTimeout);
  bool opened = false;
  {
    const MutexUnlock unlock(mutex_);
    try {
      QueryForThread("SELECT 1", {}, timeout);
      opened = true;
    } catch (const std::exception&) {
    }
  }
  if (opened) {
    reconnect_at_.reset();
  } else {
    reconnect_at_ = clock_.BootNow() + kCheckRetry;
  }
}

void LeaseKeeper::Pause() {
  if (leases_.empty() && watches_.empty() && !reconnect_at_) {
    // The lock was released while the loss of a lease was reported: what was signalled meanwhile
    // must not be missed.
    while (!stopping_ && leases_.empty() && watches_.empty()) work_.wait(mutex_);
    return;
  }
  const BootTime now = clock_.BootNow();
  Microseconds pause = kLongestPause;
  for (const auto& [worker, lease] : leases_) {
    pause = std::min({pause, lease.renew_at - now, lease.trusted_until - now});
  }
  for (const auto& [worker, watch] : watches_) pause = std::min(pause, watch.next_check - now);
  if (reconnect_at_) pause = std::min(pause, *reconnect_at_ - now);
  work_.wait_for(mutex_, std::max<Microseconds>(pause, milliseconds(1)));
}

}  // namespace summa::host
