#include "host/abi/sql_service.hpp"

#include <optional>

#include "host/abi/sql_session.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

struct SqlService::State {
  explicit State(std::map<std::string, std::shared_ptr<SessionPool>> given)
      : pools(std::move(given)), unleased(pools, std::nullopt) {}

  const std::map<std::string, std::shared_ptr<SessionPool>> pools;
  SqlScope unleased;
  Mutex mutex;
  std::map<std::string, std::unique_ptr<SqlScope>> of_plugin
      SUMMA_GUARDED_BY(mutex);  // unleased, too
};

namespace {

class PluginScope final : public SqlService::Scope {
 public:
  PluginScope(const SqlScope::Pools& pools, std::optional<LeaseGuard> guard, SessionUser user)
      : scope_(pools, std::move(guard), std::move(user)) {}
  const summa_sql_v1* table() const override { return scope_.table(); }
  void CancelRunning() noexcept override { scope_.CancelRunning(); }
  bool Close(Microseconds timeout) noexcept override { return scope_.Close(timeout); }
  void ReclaimSessions() noexcept override { scope_.ReclaimSessions(); }

 private:
  SqlScope scope_;
};

std::map<std::string, std::shared_ptr<SessionPool>> WithRead(
    std::map<std::string, std::shared_ptr<SessionPool>> pools) {
  if (pools.count("ledger") == 0) throw Failure("SH-0901", "SQL service without pool \"ledger\"");
  pools.emplace("read", pools.at("ledger"));
  return pools;
}

}  // namespace

SqlService::SqlService(std::map<std::string, std::shared_ptr<SessionPool>> pools)
    : state_(std::make_unique<State>(WithRead(std::move(pools)))) {}
SqlService::~SqlService() = default;

const summa_sql_v1* SqlService::unleased() const { return state_->unleased.table(); }

const summa_sql_v1* SqlService::ForPlugin(const std::string& plugin) {
  const MutexLock lock(state_->mutex);
  std::unique_ptr<SqlScope>& scope = state_->of_plugin[plugin];
  if (scope == nullptr) {
    scope = std::make_unique<SqlScope>(state_->pools, std::nullopt, SessionUser{plugin, {}});
  }
  return scope->table();
}

std::unique_ptr<SqlService::Scope> SqlService::ForLease(LeaseGuard guard,
                                                        const std::string& plugin) {
  SessionUser user{plugin, guard.worker_id};
  return std::make_unique<PluginScope>(state_->pools, std::move(guard), std::move(user));
}

std::unique_ptr<SqlService::Scope> SqlService::ForRequest(const std::string& plugin) {
  return std::make_unique<PluginScope>(state_->pools, std::nullopt, SessionUser{plugin, {}});
}

}  // namespace summa::host
