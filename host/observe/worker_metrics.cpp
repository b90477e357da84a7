#include "host/observe/worker_metrics.hpp"

#include <cstdint>

#include "host/observe/host_metrics.hpp"

namespace summa::host {
namespace {

// A handle is missing when the name was already used; measuring must not stop the work then.
void Set(MetricHandle* metric, double value) {
  if (metric != nullptr) metric->Set(value);
}
void Increment(MetricHandle* metric) {
  if (metric != nullptr) metric->Add(1);
}

}  // namespace

WorkerMetrics::WorkerMetrics(std::string worker_id) : worker_(std::move(worker_id)) {
  for (const char* outcome : {"ok", "error", "fenced", "cancelled", "stuck", "missed"}) {
    runs_[outcome] = HostMetric("summa_worker_runs_total", {worker_, outcome});
  }
  for (const char* state : {"running", "waiting", "standby", "error", "parked", "stopped"}) {
    states_[state] = HostMetric("summa_worker_state", {worker_, state});
  }
  duration_ = HostMetric("summa_worker_run_duration_seconds", {worker_});
  in_vain_ = HostMetric("summa_worker_calls_in_vain_total", {worker_});
  lease_held_ = HostMetric("summa_lease_held", {worker_});
  lease_fence_ = HostMetric("summa_lease_fence", {worker_});
  fence_rejections_ = HostMetric("summa_fence_rejections_total", {worker_});
}

void WorkerMetrics::Run(std::string_view outcome, Microseconds duration) {
  if (const auto found = runs_.find(outcome); found != runs_.end()) Increment(found->second);
  if (duration_ != nullptr) duration_->Observe(std::chrono::duration<double>(duration).count());
}

void WorkerMetrics::Missed() {
  if (const auto found = runs_.find("missed"); found != runs_.end()) Increment(found->second);
}

void WorkerMetrics::InVain() { Increment(in_vain_); }

void WorkerMetrics::State(std::string_view state) {
  for (const auto& [name, handle] : states_) Set(handle, name == state ? 1 : 0);
}

void WorkerMetrics::Lease(bool held, std::int64_t fence) {
  Set(lease_held_, held ? 1 : 0);
  if (held) Set(lease_fence_, static_cast<double>(fence));
}

void WorkerMetrics::FenceRejection() { Increment(fence_rejections_); }

}  // namespace summa::host
