// Looks, once a second for all workers of this host, at what the fleet asks of them.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "host/schedule/worker_run.hpp"

namespace summa::host {

class FleetWatch {
 public:
  // runs outlive it or are shared with their threads.
  // answers: whoever asks for a run is told that somebody will do it.
  FleetWatch(std::vector<std::shared_ptr<WorkerRun>> runs, const RunnerServices& services,
             bool answers);
  ~FleetWatch();  // ends what it asks the database for

 private:
  void LookAtOrders();
  void Acknowledge(const WorkerRun& run, const WorkerOrders& orders, std::int64_t& acknowledged);
  bool Pause(Microseconds time);  // false: stopping

  const std::vector<std::shared_ptr<WorkerRun>> runs_;
  const RunnerServices services_;
  const bool answers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false, ended_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace summa::host
