// `run --once`: every worker once, regardless of due times, again while it reports a backlog; all
// in the calling thread, in the order given. Workers whose lease is held elsewhere come last, so
// that the wait for them costs the others nothing.
#pragma once

#include <functional>
#include <memory>
#include <summa/backoff.hpp>
#include <vector>

#include "host/schedule/fleet_watch.hpp"
#include "host/schedule/run_watchdog.hpp"
#include "host/schedule/worker_instance.hpp"

namespace summa::host {

class OnceRunner {
 public:
  // wait: for foreign leases and for dependencies that are down, all workers together.
  OnceRunner(const std::vector<WorkerPlan>& plans, const RunnerServices& services,
             Microseconds wait, const std::function<bool()>& stop);
  ~OnceRunner();
  std::vector<OnceReport> Run();
  void LeaseLost(const std::string& worker_id);  // any thread

 private:
  class Item;
  bool Stopped() const { return stop_ && stop_(); }
  Microseconds Remaining() const;

  const RunnerServices services_;
  const Microseconds wait_;
  const std::function<bool()> stop_;
  BootTime begin_;
  std::vector<std::unique_ptr<Item>> items_;
  std::unique_ptr<RunWatchdog> watch_;  // last: they watch the workers of the items
  std::unique_ptr<FleetWatch> fleet_watch_;
};

}  // namespace summa::host
