#include "host/lease/lease_keeper.hpp"

#include <algorithm>

#include "host/database/connection_settings.hpp"
#include "host/observe/log.hpp"
#include "summa/assert.hpp"
#include "summa/crash_point.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxNameCharacters = kHolderCharacters;  // of worker_id too
constexpr Microseconds kAcquireTimeout = std::chrono::seconds(5);
constexpr Microseconds kReleaseTimeout = std::chrono::seconds(2);
constexpr milliseconds kHolderPollInterval{200};
constexpr milliseconds kStopPollInterval{50};  // how often a waiter asks whether it shall stop
// Shorter than elsewhere: a lease hangs on it.
constexpr ReconnectPauses kRenewalPauses{milliseconds(20), milliseconds(250)};

// A caller may wait for a commit under the lease: far longer than one takes, and well within the
// second in which a lease that is over has to have a new holder. A statement that still runs after
// its connection was given up must end soon by itself.
DatabaseSettings CallerSettings(DatabaseSettings settings) {
  settings.lock_timeout = std::min<Microseconds>(settings.lock_timeout, milliseconds(300));
  settings.statement_timeout = milliseconds(3000);
  settings.application_name += " leases";
  return settings;
}

// The thread serves all leases in turn: a row locked by a slow commit is tried again a little
// later.
DatabaseSettings ThreadSettings(DatabaseSettings settings) {
  settings.lock_timeout = milliseconds(100);
  settings.statement_timeout = milliseconds(2000);
  settings.application_name += " renewals";
  return settings;
}

void CheckName(const std::string& what, const std::string& name) {
  if (!name.empty() && name.size() <= kMaxNameCharacters) return;
  throw Failure("SH-0304",
                what + " \"" + name.substr(0, kMaxNameCharacters) + "\" has " +
                    std::to_string(name.size()) + " bytes; 1 to 100 fit into worker_lease",
                "Shorten host.name or the worker's id");
}

}  // namespace

LeaseKeeper::LeaseKeeper(const DatabaseSettings& ledger, std::string holder, const Clock& clock,
                         std::function<void(const std::string& worker_id)> on_lost)
    : holder_(std::move(holder)),
      clock_(clock),
      statements_(QuoteIdentifier(ledger.schema)),
      on_lost_(std::move(on_lost)),
      caller_connection_(CallerSettings(ledger)),
      take_over_(CallerSettings(ledger), stop_signal_),
      thread_connection_(ThreadSettings(ledger), kRenewalPauses) {
  CheckName("lease holder", holder_);
  if (holder_.starts_with(kIdleHolder)) {
    throw Failure("SH-0304",
                  "lease holder \"" + holder_ + "\" begins with " + kIdleHolder +
                      ", which marks leases that nobody holds",
                  "Choose another host.name");
  }
  thread_ = std::thread([this] { Run(); });
}

LeaseKeeper::~LeaseKeeper() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_signal_.Signal();
  caller_connection_.Stop();
  thread_connection_.Stop();
  work_.notify_all();
  thread_.join();
}

// Every statement here may be repeated.
TextRows LeaseKeeper::QueryForCaller(const std::string& sql, const TextParameters& parameters,
                                     Microseconds timeout) {
  return caller_connection_.Query(sql, parameters, std::chrono::steady_clock::now() + timeout,
                                  WhenLost::kRepeat);
}

// nullopt: the row is locked, so whose the lease is, is not known. asked_at: right before the
// request that was answered.
std::optional<TextRows> LeaseKeeper::QueryAcquire(const std::string& worker_id,
                                                  Microseconds time_to_live, BootTime& asked_at) {
  const TextParameters parameters{worker_id, holder_, std::to_string(time_to_live.count())};
  asked_at = clock_.BootNow();
  try {
    return QueryForCaller(statements_.acquire, parameters, kAcquireTimeout);
  } catch (const SqlFailure& failure) {
    if (failure.sqlstate() == "40P01") return std::nullopt;
    if (failure.sqlstate() != "55P03") throw;
  }
  // A commit under the lease, or another take-over, is under way. It has had lock_timeout to end;
  // when the time of the lease is over as well, the other session may keep the row locked forever.
  if (QueryForCaller(statements_.over, {worker_id}, kAcquireTimeout).empty()) return std::nullopt;
  std::optional<TextRows> rows;
  const auto deadline = std::chrono::steady_clock::now() + kAcquireTimeout;
  asked_at = clock_.BootNow();
  caller_connection_.Use(deadline, [&](DeadlineConnection& waiter) SUMMA_REQUIRES(acquire_mutex_) {
    rows = take_over_.Acquire(waiter, worker_id, statements_.acquire, parameters, deadline);
  });
  return rows;
}

std::optional<LeaseGuard> LeaseKeeper::TryAcquire(const std::string& worker_id,
                                                  Microseconds time_to_live) {
  CheckName("worker", worker_id);
  const MutexLock one_at_a_time(acquire_mutex_);
  CrashPoint("lease.acquire");
  BootTime asked_at;
  const std::optional<TextRows> rows = QueryAcquire(worker_id, time_to_live, asked_at);
  if (!rows) return std::nullopt;
  if (rows->empty()) {
    const MutexLock lock(mutex_);
    const auto lease = leases_.find(worker_id);
    if (lease != leases_.end()) lease->second.trusted_until = BootTime();
    work_.notify_all();
    return std::nullopt;
  }
  LeaseGuard guard{worker_id, holder_, std::stoll(rows->at(0).at(0).value()), time_to_live};
  if (clock_.BootNow() >= asked_at + time_to_live - TrustMargin(time_to_live)) {
    throw SqlFailure(Error{"SH-0303",
                           "the lease of " + worker_id +
                               " was obtained so late that it can no longer be trusted",
                           "Check the load of the database, or raise lease_ttl", ""},
                     "");
  }
  Remember(guard, asked_at);
  CrashPoint("lease.acquired");
  return guard;
}

void LeaseKeeper::Lease::Extend(BootTime asked_at) {
  const Microseconds time_to_live = guard.time_to_live;
  trusted_until = asked_at + time_to_live - TrustMargin(time_to_live);
  renew_at = asked_at + time_to_live / 3;
  SUMMA_ASSERT(trusted_until < asked_at + time_to_live);
  SUMMA_ASSERT(renew_at < trusted_until);
}

void LeaseKeeper::Remember(const LeaseGuard& guard, BootTime asked_at) {
  const MutexLock lock(mutex_);
  Lease& lease = leases_[guard.worker_id];
  lease.guard = guard;
  lease.Extend(asked_at);
  lease.serial = ++serials_;
  others_.erase(guard.worker_id);
  work_.notify_all();
}

// The thread must not renew a lease that is being released: its later answer would take the lease
// back.
void LeaseKeeper::ReleaseWorkers(const std::vector<std::string>& workers,
                                 Microseconds keep_for) noexcept {
  std::vector<std::string> ours;
  try {
    const MutexLock one_at_a_time(acquire_mutex_);
    {
      MutexLock lock(mutex_);
      for (const std::string& worker : workers) {
        news_.wait(lock, [&]() SUMMA_REQUIRES(mutex_) {
          const auto lease = leases_.find(worker);
          return lease == leases_.end() || !lease->second.renewing;
        });
        if (leases_.erase(worker) > 0) ours.push_back(worker);
      }
    }
    if (ours.empty()) return;  // what is lost already expires by itself
    CrashPoint("lease.release");
    QueryForCaller(keep_for > Microseconds{0} ? statements_.keep : statements_.release,
                   {TextArrayLiteral(ours), holder_, std::to_string(keep_for.count())},
                   kReleaseTimeout);
    CrashPoint("lease.released");
  } catch (const Failure& failure) {
    // Left to expire: later, but never wrong.
    LogError(LogLevel::kWarn, failure.error(), {{"lease", ours.empty() ? "" : ours.front()}});
  } catch (...) {
    Log(LogLevel::kWarn, "SH-0303", "a lease could not be released; it expires by itself");
  }
}

bool LeaseKeeper::WaitUntilFree(const std::string& worker_id, Microseconds wait,
                                const std::function<bool()>& stop) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  MutexLock lock(mutex_);
  const std::uint64_t wanted = checks_ + 1;  // older checks do not show the present state
  Watch& watch = watches_[worker_id];        // stays where it is while somebody waits
  ++watch.waiters;
  watch.next_check = clock_.BootNow();
  work_.notify_all();
  bool is_free = false;
  for (;;) {
    lock.unlock();
    const bool stopped = stop && stop();  // unlocked: it may take locks of its own
    lock.lock();
    is_free = watch.last_check >= wanted && watch.is_free;
    const auto now = std::chrono::steady_clock::now();
    if (stopped || is_free || now >= deadline) {
      is_free = is_free && !stopped;
      break;
    }
    news_.wait_until(lock, std::min(deadline, now + kStopPollInterval));
  }
  if (--watch.waiters == 0) watches_.erase(worker_id);
  return is_free;
}

bool LeaseKeeper::Trusted(const std::string& worker_id) const {
  const MutexLock lock(mutex_);
  const auto lease = leases_.find(worker_id);
  return lease != leases_.end() && clock_.BootNow() < lease->second.trusted_until;
}

LeaseStatus LeaseKeeper::Status(const std::string& worker_id) const {
  const MutexLock lock(mutex_);
  const BootTime now = clock_.BootNow();
  LeaseStatus status;
  const auto lease = leases_.find(worker_id);
  if (lease == leases_.end()) {
    const auto other = others_.find(worker_id);
    if (other == others_.end()) return status;
    if (other->second.until && *other->second.until <= now) return status;
    status.holder = other->second.holder;
    if (other->second.until) status.remaining = *other->second.until - now;
    return status;
  }
  status.ours = true;
  status.holder = holder_;
  status.fence = lease->second.guard.fence;
  status.trusted = lease->second.trusted_until > now;
  if (status.trusted) {
    status.trust_remaining = lease->second.trusted_until - now;
    status.remaining =
        lease->second.trusted_until + TrustMargin(lease->second.guard.time_to_live) - now;
  }
  return status;
}

Error LeaseKeeper::HeldElsewhere(const std::string& worker_id) {
  WaitUntilFree(worker_id, kHolderPollInterval, {});
  const std::string holder = Status(worker_id).holder;
  return {"SH-0323",
          "the lease of the worker is held by " + (holder.empty() ? "another process" : holder),
          "wait until that host releases it, give a longer --wait, or stop that host",
          "worker " + worker_id, SUMMA_E_TRY_LATER};
}

void LeaseKeeper::Release(const std::string& worker_id,
                          std::optional<Microseconds> keep_for) noexcept {
  try {
    ReleaseWorkers({worker_id}, keep_for.value_or(Microseconds{0}));
  } catch (...) {
    // No memory for a list of one name: the lease expires by itself.
  }
}

void LeaseKeeper::Forget(const std::string& worker_id) noexcept {
  const MutexLock lock(mutex_);
  leases_.erase(worker_id);
}

void LeaseKeeper::ReleaseAll() noexcept {
  try {
    std::vector<std::string> workers;
    {
      const MutexLock lock(mutex_);
      for (const auto& [worker, lease] : leases_) workers.push_back(worker);
    }
    if (!workers.empty()) ReleaseWorkers(workers, Microseconds{0});
  } catch (...) {
    // As above.
  }
}

}  // namespace summa::host
