// A host's services around a Runner on a real database, and workers made of a lambda.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/abi/sql_service.hpp"
#include "host/schedule/runner.hpp"
#include "summa/sql.hpp"
#include "summa/worker.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {

// A worker of the C interface over a function; may throw summa::Error as plugins do.
class LambdaWorker {
 public:
  using Function = std::function<TickResult(const Tick&)>;
  LambdaWorker(std::string id, Function function)
      : id_(std::move(id)), function_(std::move(function)) {
    table_ = {sizeof table_, 0, this, ToAbi(id_), &LambdaWorker::Call};
  }
  LambdaWorker(const LambdaWorker&) = delete;
  LambdaWorker& operator=(const LambdaWorker&) = delete;

  WorkerPlan Continuous() const {
    WorkerPlan plan;
    plan.id = id_;
    plan.plugin = "test";
    plan.continuous = true;
    plan.idle_poll = std::chrono::milliseconds(5);
    plan.lease_ttl = std::chrono::seconds(30);
    plan.worker = &table_;
    return plan;
  }
  WorkerPlan Periodic(Microseconds interval) const {
    WorkerPlan plan = Continuous();
    plan.continuous = false;
    plan.interval = interval;
    return plan;
  }

 private:
  static std::int32_t Call(void* self, const summa_tick* tick, summa_tick_result* result,
                           summa_error* error) {
    return detail::Guard(error, [&] {
      const TickResult done = static_cast<LambdaWorker*>(self)->function_(Tick(tick));
      result->items = done.items;
      result->backlog = done.backlog ? 1 : 0;
      result->wait_hint_microseconds = done.wait_hint ? done.wait_hint->count() : -1;
      return SUMMA_OK;
    });
  }

  std::string id_;
  Function function_;
  summa_worker table_{};
};

// What one host process has.
class RunningHost {
 public:
  RunningHost(const DatabaseSettings& settings, std::string name, std::vector<WorkerPlan> plans)
      : pool_(std::make_shared<SessionPool>(settings)),
        sql_({{"ledger", pool_}}),
        store_(settings),
        leases_(settings, name, SystemClock(),
                [this](const std::string& worker) {
                  if (runner_) runner_->LeaseLost(worker);
                }),
        runner_(std::make_unique<Runner>(
            std::move(plans), RunnerServices{&sql_, &leases_, &store_, &SystemClock(), name})) {}

  Runner& runner() { return *runner_; }
  LeaseKeeper& leases() { return leases_; }
  WorkerStore& store() { return store_; }
  WorkerReport Report(const std::string& id) {
    for (const WorkerReport& report : runner_->Report()) {
      if (report.id == id) return report;
    }
    return {};
  }

 private:
  std::shared_ptr<SessionPool> pool_;
  SqlService sql_;
  WorkerStore store_;
  LeaseKeeper leases_;
  std::unique_ptr<Runner> runner_;
};

class RunnerTest : public DatabaseTest {
 protected:
  RunnerTest() { db_->Execute("CREATE TABLE effect (id bigserial PRIMARY KEY, fence bigint)"); }

  // An effect under the worker's lease.
  static void WriteEffect(const Tick& tick, const std::function<void()>& before_commit = {}) {
    summa::Session session(tick.sql());
    session.Begin();
    session.Exec("INSERT INTO effect (fence) VALUES ($1)", {tick.fence()});
    if (before_commit) before_commit();
    session.Commit();
  }
  long long Effects() { return db_->Count("SELECT count(*) FROM effect"); }
  static void Until(const std::function<bool()>& predicate, const std::string& what) {
    test::WaitUntil(predicate, test::kTimeout, what);
  }
};

inline constexpr Microseconds kDrain = std::chrono::minutes(2);
inline constexpr Microseconds kDay = std::chrono::hours(24);

}  // namespace summa::host
