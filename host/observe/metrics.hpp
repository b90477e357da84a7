// Metrics of the host and its plugins, exported in Prometheus' text form. Thread-safe.
// Only this folder knows the metrics library.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/observe/metric_declaration.hpp"

namespace summa::host {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// One time series. Lives until the process ends. What its type does not have does nothing.
class MetricHandle {
 public:
  virtual ~MetricHandle() = default;
  virtual void Add(double) {}      // counters (value >= 0) and gauges
  virtual void Set(double) {}      // gauges
  virtual void Observe(double) {}  // histograms
};

// The same name and labels give the same handle. A name that is already of another type, or is no
// valid metric name, gives nullptr (and one log line).
MetricHandle* FindMetric(MetricType type, std::string_view name, std::string_view help,
                         const MetricLabels& labels);

// The text for /metrics.
std::string MetricsText();

}  // namespace summa::host
