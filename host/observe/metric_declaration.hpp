// What a metric is, as documents and `metrics list` show it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace summa::host {

enum class MetricType { kCounter, kGauge, kHistogram };
std::string_view ToText(MetricType type);  // counter | gauge | histogram

struct MetricDeclaration {
  std::string name;
  MetricType type = MetricType::kGauge;
  std::vector<std::string> labels;
  std::string help;
};

// By the conventions of Prometheus: _total is a counter, _duration_seconds a histogram, the rest a
// gauge.
MetricType TypeByName(std::string_view name);

}  // namespace summa::host
