// Looks how long the runs of this process take, and ends those that take longer than their max_run.
// A thread of its own: a database that does not answer must not hide a worker that is stuck.
#pragma once

#include <thread>
#include <vector>

#include "host/schedule/worker_run.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class RunWatch {
 public:
  explicit RunWatch(std::vector<WorkerRun*> runs);  // they outlive it
  ~RunWatch();
  RunWatch(const RunWatch&) = delete;
  RunWatch& operator=(const RunWatch&) = delete;

 private:
  void Watch();

  const std::vector<WorkerRun*> runs_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool stopping_ SUMMA_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace summa::host
