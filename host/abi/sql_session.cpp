#include "host/abi/sql_session.hpp"

#include "host/observe/log.hpp"

namespace summa::host {

SqlScope::SqlScope(const Pools& pools, std::optional<LeaseGuard> guard)
    : pools_(pools), guard_(std::move(guard)), table_(MakeSqlTable(this)) {}

SqlScope::~SqlScope() {
  CancelRunning();
  for (;;) {
    std::shared_ptr<summa_sql_session> leaked;
    {
      const std::lock_guard lock(mutex_);
      if (open_.empty()) return;
      leaked = *open_.begin();
      open_.erase(open_.begin());
    }
    // Waits for a call that is under way; it was cancelled above.
    const std::lock_guard lock(leaked->use);
    if (!leaked->session) continue;  // closed in this very moment
    Log(LogLevel::kWarn, "SH-0419", "a plugin did not close its SQL session; it is closed now",
        {{"worker", guard_ ? guard_->worker_id : std::string()}});
    leaked->scope = nullptr;
    leaked->pool->Give(std::move(leaked->session));
  }
}

void SqlScope::CancelRunning() noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& open : open_) open->session->Cancel();
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
  opened->session = pool->second->Take();
  const std::lock_guard lock(mutex_);
  open_.insert(opened);
  opened->self = opened;
  return opened.get();
}

void SqlScope::Forget(const std::shared_ptr<summa_sql_session>& session) noexcept {
  const std::lock_guard lock(mutex_);
  open_.erase(session);
}

}  // namespace summa::host
