#include "host/observe/worker_metrics.hpp"

namespace summa::host {
namespace {

double Seconds(Microseconds time) { return std::chrono::duration<double>(time).count(); }

// A handle is missing when something else took the name; measuring must not stop the work then.
void Set(MetricHandle* metric, double value) {
  if (metric != nullptr) metric->Set(value);
}
void Increment(MetricHandle* metric) {
  if (metric != nullptr) metric->Add(1);
}

}  // namespace

void SetBuildInfo(std::string_view version, std::string_view abi) {
  if (MetricHandle* info =
          GaugeMetric("summa_build_info", "Version of the running host.",
                      {{"version", std::string(version)}, {"abi", std::string(abi)}})) {
    info->Set(1);
  }
}

WorkerMetrics::WorkerMetrics(std::string worker_id) : worker_(std::move(worker_id)) {
  const MetricLabels labels = {{"worker", worker_}};
  for (const char* outcome : {"ok", "error", "fenced", "cancelled", "stuck", "missed"}) {
    runs_[outcome] =
        CounterMetric("summa_worker_runs_total",
                      "Calls of the worker by outcome; missed: due times that were skipped.",
                      {{"worker", worker_}, {"outcome", outcome}});
  }
  for (const char* state : {"running", "waiting", "standby", "error", "parked", "stopped"}) {
    states_[state] = GaugeMetric("summa_worker_state", "1 for the state the worker is in.",
                                 {{"worker", worker_}, {"state", state}});
  }
  duration_ = HistogramMetric("summa_worker_run_duration_seconds",
                              "How long one call of the worker took.", labels);
  last_success_ = GaugeMetric("summa_worker_last_success_timestamp_seconds",
                              "When a call last succeeded in this process (Unix time).", labels);
  next_run_ = GaugeMetric("summa_worker_next_run_timestamp_seconds",
                          "When a periodic worker is due again (Unix time).", labels);
  lease_held_ = GaugeMetric("summa_lease_held", "1 while this host holds the lease.", labels);
  lease_fence_ = GaugeMetric("summa_lease_fence", "Fence of the lease last held here.", labels);
  fence_rejections_ =
      CounterMetric("summa_fence_rejections_total",
                    "Commits refused because the lease was gone; nothing was committed.", labels);
}

void WorkerMetrics::Run(std::string_view outcome, Microseconds duration) {
  if (const auto found = runs_.find(outcome); found != runs_.end()) Increment(found->second);
  if (duration_ != nullptr) duration_->Observe(Seconds(duration));
}

void WorkerMetrics::Succeeded(Microseconds unix_time) { Set(last_success_, Seconds(unix_time)); }

void WorkerMetrics::Missed() {
  if (const auto found = runs_.find("missed"); found != runs_.end()) Increment(found->second);
}

void WorkerMetrics::NextRun(Microseconds unix_time) { Set(next_run_, Seconds(unix_time)); }

void WorkerMetrics::State(std::string_view state) {
  for (const auto& [name, handle] : states_) Set(handle, name == state ? 1 : 0);
}

void WorkerMetrics::Lease(bool held, std::int64_t fence) {
  Set(lease_held_, held ? 1 : 0);
  if (held) Set(lease_fence_, static_cast<double>(fence));
}

void WorkerMetrics::FenceRejection() { Increment(fence_rejections_); }

}  // namespace summa::host
