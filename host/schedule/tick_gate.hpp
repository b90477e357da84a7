// Who may touch what when a host stops while a worker is still in its function: the stopping thread
// cancels the worker's SQL or abandons it; an abandoned worker that returns after all must touch
// nothing of the host any more. The same for a call that takes too long, whose SQL is shut.
// Thread-safe.
#pragma once

#include <memory>

#include "host/abi/sql_service.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class TickGate {
 public:
  // The worker's thread, around each call. scope: nullptr for a worker without a lease.
  void Enter(std::shared_ptr<SqlScope> scope) {
    const MutexLock lock(mutex_);
    scope_ = std::move(scope);
  }
  // False: abandoned meanwhile.
  bool Leave() {
    const MutexLock lock(mutex_);
    scope_.reset();
    return !abandoned_;
  }
  bool abandoned() const {
    const MutexLock lock(mutex_);
    return abandoned_;
  }
  // The stopping thread. Holding the lock keeps the scope alive during the call.
  void CancelRunning() {
    const MutexLock lock(mutex_);
    if (scope_ != nullptr) scope_->CancelRunning();
  }
  // Takes the SQL from the call that is under way, so that nothing of it can be committed any more.
  // False: not within the time. Without the lock, because it takes long.
  bool CloseSql(Microseconds timeout) {
    std::shared_ptr<SqlScope> scope;
    {
      const MutexLock lock(mutex_);
      scope = scope_;
    }
    return scope == nullptr || scope->Close(timeout);
  }
  void Abandon() {
    const MutexLock lock(mutex_);
    abandoned_ = true;
    scope_.reset();
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<SqlScope> scope_ SUMMA_GUARDED_BY(mutex_);
  bool abandoned_ SUMMA_GUARDED_BY(mutex_) = false;
};

}  // namespace summa::host
