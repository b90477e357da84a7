#include "host/abi/sql_service.hpp"

#include <optional>

namespace summa::host {
namespace {

SqlScope::Pools WithRead(SqlScope::Pools pools) {
  if (pools.count("ledger") == 0) throw Failure("SH-0901", "SQL service without pool \"ledger\"");
  pools.emplace("read", pools.at("ledger"));
  return pools;
}

}  // namespace

SqlService::SqlService(SqlScope::Pools pools)
    : pools_(WithRead(std::move(pools))), unleased_(pools_, std::nullopt) {}

const summa_sql_v1* SqlService::ForPlugin(const std::string& plugin) {
  const MutexLock lock(mutex_);
  std::unique_ptr<SqlScope>& scope = of_plugin_[plugin];
  if (scope == nullptr) scope = ForRequest(plugin);
  return scope->table();
}

std::unique_ptr<SqlScope> SqlService::ForLease(LeaseGuard guard, const std::string& plugin) {
  SessionUser user{plugin, guard.worker_id};
  return std::make_unique<SqlScope>(pools_, std::move(guard), std::move(user));
}

std::unique_ptr<SqlScope> SqlService::ForRequest(const std::string& plugin) {
  return std::make_unique<SqlScope>(pools_, std::nullopt, SessionUser{plugin, {}});
}

}  // namespace summa::host
