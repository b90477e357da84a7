// Looks how long the runs of this process take, and ends those that take longer than their max_run.
// A thread of its own: a database that does not answer must not hide a worker that is stuck.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "host/schedule/worker_instance.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class RunWatchdog {
 public:
  explicit RunWatchdog(std::vector<std::shared_ptr<WorkerInstance>> workers);
  ~RunWatchdog();
  RunWatchdog(const RunWatchdog&) = delete;
  RunWatchdog& operator=(const RunWatchdog&) = delete;

 private:
  void Watch();

  const std::vector<std::shared_ptr<WorkerInstance>> workers_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool stopping_ SUMMA_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace summa::host
