// Leases of this host on Summa's table worker_lease (server clock), renewed on a connection of
// their own.
//
// One thread renews every lease at a third of its time to live and looks, with one plain SELECT for
// all workers, whether a lease that somebody waits for has become free. Local trust in a lease ends
// `kTrustMargin` before the server would let it go, measured with CLOCK_BOOTTIME from before the
// request was sent; an unanswered renewal counts as not renewed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "host/clock.hpp"
#include "host/database/lease_statements.hpp"
#include "host/database/reopening_connection.hpp"
#include "host/lease/take_over.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

struct LeaseStatus {
  std::string holder;  // of whoever has it; empty: nobody, or not known
  bool ours = false;
  bool trusted = false;    // ours and not near its end
  std::int64_t fence = 0;  // ours only
  // Until the lease ends. That of others is known from the last look while somebody waits for it,
  // and forgotten when it has passed; zero: it has no end.
  Microseconds remaining{0};
  Microseconds trust_remaining{0};  // ours only: until it is trusted no more without a renewal
};

class LeaseKeeper {
 public:
  // holder: unique per process start, at most 100 characters. on_lost is called from the keeper's
  // thread when a lease of ours is no longer trusted (renewal refused, expired, database away too
  // long).
  LeaseKeeper(const DatabaseSettings& ledger, std::string holder, const Clock& clock,
              std::function<void(const std::string& worker_id)> on_lost);
  ~LeaseKeeper();  // stops the thread; releases nothing

  // Tries once; the guard to commit under, or nullopt: somebody else has it. Throws SqlFailure when
  // the database cannot be asked. Re-acquiring our own lease keeps its fence; a new holder raises
  // it.
  std::optional<LeaseGuard> TryAcquire(const std::string& worker_id, Microseconds time_to_live);
  // Waits until the lease looks free, `wait` passed or stop() is true. True: worth a TryAcquire.
  bool WaitUntilFree(const std::string& worker_id, Microseconds wait,
                     const std::function<bool()>& stop);
  bool Trusted(const std::string& worker_id) const;  // cheap; any thread
  LeaseStatus Status(const std::string& worker_id) const;
  // SH-0323: somebody else has the lease, whom one look is to name.
  Error HeldElsewhere(const std::string& worker_id);
  // Lets it go so that another host can take it at once. keep_for: Summa's own runners find the row
  // taken until then, our own hosts do not (a periodic worker shared with a runner of Summa, which
  // knows no due times and would run it again at once).
  void Release(const std::string& worker_id, std::optional<Microseconds> keep_for = {}) noexcept;
  void ReleaseAll() noexcept;
  // Renews it no more and leaves it to expire: something could still work under it.
  void Forget(const std::string& worker_id) noexcept;

 private:
  struct Lease {
    // From a statement that was asked then, and has given or renewed it.
    void Extend(BootTime asked_at);

    LeaseGuard guard;
    BootTime trusted_until;
    BootTime renew_at;
    bool renewing = false;
    std::uint64_t serial = 0;  // of the acquisition; an answer to an older one is ignored
  };
  // A worker whose lease somebody waits for.
  struct Watch {
    int waiters = 0;
    std::uint64_t last_check = 0;  // number of the check that `is_free` comes from
    bool is_free = false;
    BootTime next_check;
  };
  // A holder that is not us.
  struct Other {
    std::string holder;
    std::optional<BootTime> until;  // nullopt: without end
  };

  void Run();
  void ReportLost() SUMMA_REQUIRES(mutex_);
  std::string NextRenewal() const SUMMA_REQUIRES(mutex_);  // empty: none is due
  std::optional<TextRows> AskToRenew(const std::string& worker_id, Microseconds time_to_live,
                                     Microseconds timeout) SUMMA_REQUIRES(mutex_);
  void Renew(const std::string& worker_id) SUMMA_REQUIRES(mutex_);
  bool IsCheckDue() const SUMMA_REQUIRES(mutex_);
  std::optional<TextRows> AskToLook(const std::vector<std::string>& workers, Microseconds timeout)
      SUMMA_REQUIRES(mutex_);
  void CheckWatched() SUMMA_REQUIRES(mutex_);
  void RecordCheck(const TextRows& rows, const std::vector<std::string>& workers, BootTime asked_at)
      SUMMA_REQUIRES(mutex_);
  bool IsReconnectDue() const SUMMA_REQUIRES(mutex_);
  void Reconnect() SUMMA_REQUIRES(mutex_);
  void Pause() SUMMA_REQUIRES(mutex_);
  TextRows QueryForCaller(const std::string& sql, const TextParameters& parameters,
                          Microseconds timeout) SUMMA_REQUIRES(acquire_mutex_);
  TextRows QueryForThread(const std::string& sql, const TextParameters& parameters,
                          Microseconds timeout);
  std::optional<TextRows> QueryAcquire(const std::string& worker_id, Microseconds time_to_live,
                                       BootTime& asked_at) SUMMA_REQUIRES(acquire_mutex_);
  void Remember(const LeaseGuard& guard, BootTime asked_at);
  void ReleaseWorkers(const std::vector<std::string>& workers, Microseconds keep_for) noexcept;

  const std::string holder_;
  const Clock& clock_;
  const LeaseStatements statements_;
  const std::function<void(const std::string&)> on_lost_;
  // After acquire_mutex_, which is held during a statement of a caller; this one never is.
  mutable Mutex mutex_;
  std::map<std::string, Lease> leases_ SUMMA_GUARDED_BY(mutex_);
  std::map<std::string, Watch> watches_ SUMMA_GUARDED_BY(mutex_);
  std::map<std::string, Other> others_ SUMMA_GUARDED_BY(mutex_);  // as last seen
  WakeUp stop_signal_;                                            // outlives the take-over
  Mutex acquire_mutex_;
  ReopeningConnection caller_connection_ SUMMA_GUARDED_BY(acquire_mutex_);
  TakeOver take_over_ SUMMA_GUARDED_BY(acquire_mutex_);
  ReopeningConnection thread_connection_;  // the thread's own
  ConditionVariable work_;                 // for the thread
  ConditionVariable news_;                 // for callers
  std::uint64_t serials_ SUMMA_GUARDED_BY(mutex_) = 0, checks_ SUMMA_GUARDED_BY(mutex_) = 0;
  // Since a renewal failed: when the connection of renewals is opened again.
  std::optional<BootTime> reconnect_at_ SUMMA_GUARDED_BY(mutex_);
  bool stopping_ SUMMA_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace summa::host
