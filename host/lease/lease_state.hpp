// Inside of LeaseKeeper: what it knows, its thread, its two connections.
//
// Locks: acquire_mutex (held during a statement of a caller) before mutex (never held during one).
#pragma once

#include <algorithm>
#include <thread>

#include "host/database/lease_statements.hpp"
#include "host/database/reopening_connection.hpp"
#include "host/lease/lease_keeper.hpp"
#include "host/lease/take_over.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

struct LeaseKeeper::State {
  State(const DatabaseSettings& ledger, std::string holder_name, const Clock& local_clock,
        std::function<void(const std::string&)> lost);
  ~State();

  struct Lease {
    LeaseGuard guard;
    Microseconds time_to_live{0};
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

  std::optional<LeaseGuard> Acquire(const std::string& worker_id, Microseconds time_to_live);
  void Release(const std::vector<std::string>& workers, Microseconds keep_for) noexcept;
  bool WaitUntilFree(const std::string& worker_id, Microseconds wait,
                     const std::function<bool()>& should_stop);

  const std::string holder;
  const Clock& clock;
  mutable Mutex mutex;
  std::map<std::string, Lease> leases SUMMA_GUARDED_BY(mutex);
  std::map<std::string, Watch> watches SUMMA_GUARDED_BY(mutex);
  std::map<std::string, Other> others SUMMA_GUARDED_BY(mutex);  // as last seen

 private:
  void Run();
  void ReportLost() SUMMA_REQUIRES(mutex);
  std::string NextRenewal() const SUMMA_REQUIRES(mutex);  // empty: none is due
  std::optional<TextRows> AskToRenew(const std::string& worker_id, Microseconds time_to_live,
                                     Microseconds timeout) SUMMA_REQUIRES(mutex);
  void Renew(const std::string& worker_id) SUMMA_REQUIRES(mutex);
  bool IsCheckDue() const SUMMA_REQUIRES(mutex);
  std::optional<TextRows> AskToLook(const std::vector<std::string>& workers, Microseconds timeout)
      SUMMA_REQUIRES(mutex);
  void CheckWatched() SUMMA_REQUIRES(mutex);
  void RecordCheck(const TextRows& rows, const std::vector<std::string>& workers, BootTime asked_at)
      SUMMA_REQUIRES(mutex);
  void Pause() SUMMA_REQUIRES(mutex);
  TextRows QueryForCaller(const std::string& sql, const TextParameters& parameters,
                          Microseconds timeout) SUMMA_REQUIRES(acquire_mutex_);
  TextRows QueryForThread(const std::string& sql, const TextParameters& parameters,
                          Microseconds timeout);
  std::optional<TextRows> QueryAcquire(const std::string& worker_id, Microseconds time_to_live,
                                       BootTime& asked_at) SUMMA_REQUIRES(acquire_mutex_);
  void Remember(const LeaseGuard& guard, Microseconds time_to_live, BootTime asked_at);

  const LeaseStatements statements_;
  const std::function<void(const std::string&)> on_lost_;
  WakeUp stop_signal_;  // outlives the take-over
  Mutex acquire_mutex_;
  ReopeningConnection caller_connection_ SUMMA_GUARDED_BY(acquire_mutex_);
  TakeOver take_over_ SUMMA_GUARDED_BY(acquire_mutex_);  // under acquire_mutex_
  ReopeningConnection thread_connection_;                // the thread's own
  ConditionVariable work_;                               // for the thread
  ConditionVariable news_;                               // for callers
  std::uint64_t serials_ SUMMA_GUARDED_BY(mutex) = 0, checks_ SUMMA_GUARDED_BY(mutex) = 0;
  bool stopping_ SUMMA_GUARDED_BY(mutex) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace summa::host
