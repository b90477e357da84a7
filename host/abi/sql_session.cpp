#include "host/abi/sql_session.hpp"

#include <chrono>
#include <thread>

#include "host/observe/log.hpp"

namespace summa::host {
namespace {

// How often a statement that was cancelled is looked at.
constexpr std::chrono::milliseconds kClosePollInterval{10};

}  // namespace

SqlScope::SqlScope(const Pools& pools, std::optional<LeaseGuard> guard, SessionUser user)
    : pools_(pools), guard_(std::move(guard)), user_(std::move(user)), table_(MakeSqlTable(this)) {}

SqlScope::~SqlScope() {
  CancelRunning();
  for (;;) {
    std::shared_ptr<summa_sql_session> leaked;
    {
      const MutexLock lock(mutex_);
      if (open_.empty()) return;
      leaked = *open_.begin();
      open_.erase(open_.begin());
    }
    // Waits for a call in progress; it was cancelled above.
    const MutexLock lock(leaked->use);
    CloseLeaked(*leaked);
  }
}

// With its `use` locked.
void SqlScope::CloseLeaked(summa_sql_session& leaked) noexcept {
  if (!leaked.session) return;  // closed in this very moment
  Log(LogLevel::kWarn, "SH-0419", "a plugin did not close its SQL session; it is closed now",
      {{"plugin", user_.plugin}, {"worker", user_.worker}});
  leaked.scope = nullptr;
  leaked.pool->Release(std::move(leaked.session));
}

void SqlScope::CancelRunning() noexcept {
  const MutexLock lock(mutex_);
  for (const auto& open : open_) open->session->Cancel();
}

// One that another thread uses is left to it.
void SqlScope::ReclaimSessions() noexcept {
  std::set<std::shared_ptr<summa_sql_session>> open;
  {
    const MutexLock lock(mutex_);
    open = open_;
  }
  for (const auto& leaked : open) {
    if (!leaked->use.try_lock()) continue;
    const MutexLock lock(leaked->use, std::adopt_lock);
    Forget(leaked);
    CloseLeaked(*leaked);
  }
}

bool SqlScope::Close(Microseconds timeout) noexcept {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    CancelRunning();
    std::shared_ptr<summa_sql_session> next;
    {
      const MutexLock lock(mutex_);
      closed_ = true;
      if (open_.empty()) return true;
      next = *open_.begin();
    }
    if (!next->use.try_lock()) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      std::this_thread::sleep_for(kClosePollInterval);
      continue;
    }
    const MutexLock lock(next->use, std::adopt_lock);
    Forget(next);
    if (!next->session) continue;  // closed in this very moment
    next->scope = nullptr;
    next->pool->Release(std::move(next->session));
  }
}

summa_sql_session* SqlScope::Open(std::string_view database) {
  const auto pool = pools_.find(std::string(database));
  if (pool == pools_.end()) {
    throw Failure("SH-0407", "there is no database \"" + std::string(database) + "\" for plugins",
                  "Open \"ledger\" or \"read\"");
  }
  auto opened = std::make_shared<summa_sql_session>();
  opened->pool = pool->second;
  opened->scope = this;
  opened->guard = guard_;
  opened->in_ledger = pool->second == pools_.at("ledger");
  opened->session = pool->second->Acquire(user_);
  const MutexLock lock(mutex_);
  if (closed_) {
    opened->pool->Release(std::move(opened->session));
    throw Failure("SH-0419", "the worker took too long and may no longer use its database",
                  "Return; the worker starts again");
  }
  open_.insert(opened);
  opened->self = opened;
  return opened.get();
}

void SqlScope::Forget(const std::shared_ptr<summa_sql_session>& session) noexcept {
  const MutexLock lock(mutex_);
  open_.erase(session);
}

}  // namespace summa::host
