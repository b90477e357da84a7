// What is measured of one worker in this process. Names: host_metrics.cpp. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "host/clock.hpp"
#include "host/observe/metrics.hpp"

namespace summa::host {

class WorkerMetrics {
 public:
  explicit WorkerMetrics(std::string worker_id);

  // One call of the worker's function. outcome: ok | error | fenced | cancelled | stuck.
  void Run(std::string_view outcome, Microseconds duration);
  void Missed();                       // a due time was skipped
  void InVain();                       // it asked to be called at once and did nothing
  void State(std::string_view state);  // running | waiting | standby | error | parked | stopped
  void Lease(bool held, std::int64_t fence);
  void FenceRejection();

 private:
  const std::string worker_;
  std::map<std::string, MetricHandle*, std::less<>> runs_, states_;
  MetricHandle& duration_;
  MetricHandle& in_vain_;
  MetricHandle& lease_held_;
  MetricHandle& lease_fence_;
  MetricHandle& fence_rejections_;
};

}  // namespace summa::host
