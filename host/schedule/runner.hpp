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
#include "summa/abi/worker.h"

namespace summa::host {

// Everything the runner needs to know of a worker: manifest, configuration and the plugin's
// function.
struct WorkerPlan {
  std::string id;
  std::string plugin;
  bool continuous = false;
  bool leased = true;
  Microseconds interval{0};  // periodic
  // Periodic, instead of the interval: times of the day in UTC, ascending.
  std::vector<Microseconds> times;
  double jitter = 0.25;       // periodic: next due = interval * (1 +- jitter); after a time: later
  Microseconds idle_poll{0};  // continuous: longest idle pause
  Microseconds lease_ttl{std::chrono::seconds(15)};
  bool run_missed_once = true;  // periodic, `missed: once`; false: skip
  // Periodic: to Summa's own runner, which knows no due times, the lease looks taken until just
  // before the next one (`schedules.share_with_node`).
  bool keep_lease_row = true;
  // A run (continuous: a call) that takes longer is stuck; zero: none does.
  Microseconds max_run{0};
  int park_after = 0;          // consecutive failures; 0: never
  int park_after_crashes = 0;  // in the fleet; 0: never
  // Longest pause between two tries of a parked worker; zero: only a person lets it run again.
  Microseconds retry_parked{0};
  const summa_worker* worker = nullptr;
  // Of its plugin, as "schema.table": it runs only while all their rows are to be seen.
  std::vector<std::string> tables = {};
};

// A worker as people see it: /status and `workers list`.
struct WorkerReport {
  std::string id, kind, plugin, state;  // running | waiting | standby | error | parked | stopped
  std::string holder;
  std::int64_t fence = 0;
  std::string lease_until, last_run_at, last_success_at,
      next_due_at;  // ISO-8601 with ms and Z, or empty
  bool paused = false;
  std::string paused_by, paused_reason, paused_since;  // as far as known
  std::vector<std::string> parked_on;                  // hosts; of the whole fleet, when known
  std::string last_error;
  std::string warning;  // somebody should look, though it works; empty: no
  std::int64_t runs = 0, items = 0;
};

// Result of `run --once` for one worker.
struct OnceReport {
  std::string id, plugin, outcome;  // ok | error | skipped | fenced | parked
  std::int64_t runs = 0, items = 0;
  Microseconds duration{0};
  std::string error;
  int exit_code = 0;
};

struct RunnerServices {
  SqlService* sql;
  LeaseKeeper* leases;
  WorkerStore* store;  // the runner's alone: it is hurried when the runner stops
  const Clock* clock;
  std::string host_name;

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
