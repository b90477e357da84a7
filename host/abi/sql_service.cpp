#include "host/abi/sql_service.hpp"

#include "host/abi/sql_session.hpp"

namespace summa::host {

struct SqlService::State {
  explicit State(std::map<std::string, std::shared_ptr<SessionPool>> given)
      : pools(std::move(given)), unleased(pools, std::nullopt) {}

  const std::map<std::string, std::shared_ptr<SessionPool>> pools;
  SqlScope unleased;
};

namespace {

class LeaseScope final : public SqlService::Scope {
 public:
  LeaseScope(const SqlScope::Pools& pools, LeaseGuard guard) : scope_(pools, std::move(guard)) {}
  const summa_sql_v1* table() const override { return scope_.table(); }
  void CancelRunning() noexcept override { scope_.CancelRunning(); }
  bool Shut(Microseconds patience) noexcept override { return scope_.Shut(patience); }

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

std::unique_ptr<SqlService::Scope> SqlService::ForLease(LeaseGuard guard) {
  return std::make_unique<LeaseScope>(state_->pools, std::move(guard));
}

}  // namespace summa::host
