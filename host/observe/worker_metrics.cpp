#include "host/observe/worker_metrics.hpp"

#include <cstdint>

#include "host/observe/host_metrics.hpp"

namespace summa::host {

WorkerMetrics::WorkerMetrics(std::string worker_id)
    : worker_(std::move(worker_id)),
      duration_(HostMetric("summa_worker_run_duration_seconds", {worker_})),
      in_vain_(HostMetric("summa_worker_calls_in_vain_total", {worker_})),
      lease_held_(HostMetric("summa_lease_held", {worker_})),
      lease_fence_(HostMetric("summa_lease_fence", {worker_})),
      fence_rejections_(HostMetric("summa_fence_rejections_total", {worker_})) {
  for (const char* outcome : {"ok", "error", "fenced", "cancelled", "stuck", "missed"}) {
    runs_[outcome] = &HostMetric("summa_worker_runs_total", {worker_, outcome});
  }
  for (const char* state : {"running", "waiting", "standby", "error", "parked", "stopped"}) {
    states_[state] = &HostMetric("summa_worker_state", {worker_, state});
  }
}

void WorkerMetrics::Run(std::string_view outcome, Microseconds duration) {
  if (const auto found = runs_.find(outcome); found != runs_.end()) found->second->Add(1);
  duration_.Observe(std::chrono::duration<double>(duration).count());
}

void WorkerMetrics::Missed() { runs_.at("missed")->Add(1); }

void WorkerMetrics::InVain() { in_vain_.Add(1); }

void WorkerMetrics::State(std::string_view state) {
  for (const auto& [name, handle] : states_) handle->Set(name == state ? 1 : 0);
}

void WorkerMetrics::Lease(bool held, std::int64_t fence) {
  lease_held_.Set(held ? 1 : 0);
  if (held) lease_fence_.Set(static_cast<double>(fence));
}

void WorkerMetrics::FenceRejection() { fence_rejections_.Add(1); }

}  // namespace summa::host
