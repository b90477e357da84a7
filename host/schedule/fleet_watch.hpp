// Looks, once a second for all workers of this host, at what the fleet asks of them.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "host/schedule/worker_instance.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class FleetWatch {
 public:
  // workers outlive it or are shared with their threads.
  // answers: whoever asks for a run is told that somebody will do it.
  FleetWatch(std::vector<std::shared_ptr<WorkerInstance>> workers, const RunnerServices& services,
             bool answers);
  ~FleetWatch();  // ends what it asks the database for

 private:
  void FetchOrders();
  void Acknowledge(const WorkerInstance& worker, const WorkerOrders& orders,
                   std::int64_t& acknowledged);
  bool Pause(Microseconds time);  // false: stopping

  const std::vector<std::shared_ptr<WorkerInstance>> workers_;
  const RunnerServices services_;
  const bool answers_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool stopping_ SUMMA_GUARDED_BY(mutex_) = false, ended_ SUMMA_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace summa::host
