// summa.metrics/1 for one plugin: those that its manifest declares, at most 1,000 handles, so that
// a label with too many values cannot fill the memory. What is refused is named (SH-0331, SH-0333,
// SH-0356, SH-0357) and exported by nobody. Thread-safe.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/observe/metric_declaration.hpp"
#include "host/observe/metrics.hpp"
#include "summa/abi/metrics.h"
#include "summa/mutex.hpp"

namespace summa::host {

class MetricsService {
 public:
  // declared: nullopt: every metric that is none of the host's.
  MetricsService(std::string plugin_id, std::optional<std::vector<MetricDeclaration>> declared);
  MetricsService(const MetricsService&) = delete;
  MetricsService& operator=(const MetricsService&) = delete;
  const summa_metrics_v1* table() const { return &table_; }

 private:
  // Behind a summa_metric; lives until the process ends, as the header promises.
  struct Handle {
    MetricHandle* metric;
    MetricType type;
    std::string plugin, name;
    std::atomic<bool> named{false};  // that it was given a number that cannot be
  };

  template <MetricType kType>
  static summa_metric* Make(void* self, summa_str name, summa_str help, const summa_label* labels,
                            std::size_t label_count) noexcept;
  static void Change(summa_metric* metric, double value, void (MetricHandle::*change)(double),
                     bool fits) noexcept;
  static Handle* Keep(Handle* handle);  // takes it
  Handle* Find(MetricType type, const std::string& name, const std::string& help,
               const MetricLabels& labels);
  // Why it is not the plugin's; empty: it is.
  std::string Problem(MetricType type, const std::string& name, const MetricLabels& labels) const;

  const std::string plugin_id_;
  const std::optional<std::vector<MetricDeclaration>> declared_;
  summa_metrics_v1 table_{};
  Mutex mutex_;
  std::map<std::pair<std::string, MetricLabels>, Handle*> handles_
      SUMMA_GUARDED_BY(mutex_);  // key: type and name
};

}  // namespace summa::host
