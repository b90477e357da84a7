// Runs the workers of all plugins: one thread per worker, one run after the other (run_engine.hpp).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/abi/sql_service.hpp"
#include "host/clock.hpp"
#include "host/database/worker_store.hpp"
#include "host/lease/lease_keeper.hpp"
#include "host/worker.hpp"
#include "summa/abi/worker.h"

namespace summa::host {

// Everything the runner needs to know of a worker: manifest, configuration and the plugin's
// function.
struct WorkerPlan : WorkerSpec {
  // Periodic: to Summa's own runner, which knows no due times, the lease looks taken until just
  // before the next one (`schedules.share_with_node`).
  bool keep_lease_row = true;
  const summa_worker* worker = nullptr;
  // Of its plugin, as "schema.table": it runs only while all their rows are to be seen.
  std::vector<std::string> tables = {};
};

// A worker of this host as people see it, in /status.
struct WorkerReport : WorkerRow {
  std::string warning;  // somebody should look, though it works; empty: no
  std::int64_t runs = 0, items = 0;
};

// Result of `run --once` for one worker: ok | error | skipped | fenced | parked.
struct OnceReport : RunSummary {
  std::string id, plugin;
};

struct RunnerServices {
  SqlService* sql;
  LeaseKeeper* leases;
  WorkerStore* store;  // the runner's alone: its shutdown begins when the runner stops
  const Clock* clock;
  std::string host_name;
  // A worker that is stuck has lost its lease and does not return. Any thread; may be empty.
  std::function<void(const Error&)> stuck = {};

  FleetOrders& orders() const { return store->orders(); }
};

class Runner {
 public:
  Runner(std::vector<WorkerPlan> plans, RunnerServices services);
  ~Runner();

  void Start();
  // Tells every worker to stop and waits. The ids of workers that did not return in time (their
  // leases are left to expire, their threads abandoned); leases of the others are released.
  // When it names any, keep the plugins loaded and end the process soon, without stop() and
  // destroy() of those plugins: their code still runs.
  std::vector<std::string> Stop(Microseconds drain_timeout);

  // `run --once`: every worker at least once, again while it reports a backlog; a foreign lease is
  // waited for up to `wait`. stop() is polled.
  std::vector<OnceReport> RunOnce(Microseconds wait, const std::function<bool()>& stop);

  std::vector<WorkerReport> Report() const;  // any thread, from memory
  // The keeper's on_lost: any thread.
  void LeaseLost(const std::string& worker_id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace summa::host
