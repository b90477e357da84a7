// summa.metrics/1 for one plugin: at most 1,000 handles each, so that a label with too many values
// cannot fill the memory. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "host/observe/metrics.hpp"
#include "summa/abi/metrics.h"

namespace summa::host {

class MetricsService {
 public:
  explicit MetricsService(std::string plugin_id);
  MetricsService(const MetricsService&) = delete;
  MetricsService& operator=(const MetricsService&) = delete;
  const summa_metrics_v1* table() const { return &table_; }

 private:
  using Maker = MetricHandle* (*)(std::string_view, std::string_view, const MetricLabels&);
  template <char kKind>
  static summa_metric* Make(void* self, summa_str name, summa_str help, const summa_label* labels,
                            std::size_t label_count) noexcept;
  MetricHandle* Find(char kind, Maker maker, std::string_view name, std::string_view help,
                     const MetricLabels& labels);

  const std::string plugin_id_;
  summa_metrics_v1 table_{};
  std::mutex mutex_;
  std::map<std::pair<std::string, MetricLabels>, MetricHandle*> handles_;  // key: kind and name
};

}  // namespace summa::host
