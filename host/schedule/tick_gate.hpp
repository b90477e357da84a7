// Who may touch what when a host stops while a worker is still in its function: the stopping thread
// cancels the worker's SQL or abandons it; an abandoned worker that returns after all must touch
// nothing of the host any more. Thread-safe.
#pragma once

#include <mutex>

#include "host/abi/sql_service.hpp"

namespace summa::host {

class TickGate {
 public:
  // The worker's thread, around each call. scope: nullptr for a worker without a lease.
  void Enter(SqlService::Scope* scope) {
    const std::lock_guard lock(mutex_);
    scope_ = scope;
  }
  // False: abandoned meanwhile.
  bool Leave() {
    const std::lock_guard lock(mutex_);
    scope_ = nullptr;
    return !abandoned_;
  }
  bool abandoned() const {
    const std::lock_guard lock(mutex_);
    return abandoned_;
  }
  // The stopping thread. Holding the lock keeps the scope alive during the call.
  void CancelRunning() {
    const std::lock_guard lock(mutex_);
    if (scope_ != nullptr) scope_->CancelRunning();
  }
  void Abandon() {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    scope_ = nullptr;
  }

 private:
  mutable std::mutex mutex_;
  SqlService::Scope* scope_ = nullptr;
  bool abandoned_ = false;
};

}  // namespace summa::host
