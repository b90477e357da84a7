#include "host/abi/metrics_service.hpp"

#include "host/abi/abi_text.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMostHandles = 1000;  // promised in metrics.h
constexpr std::size_t kMostLabels = 16;     // of one handle; more is a mistake

MetricHandle* Handle(summa_metric* metric) { return reinterpret_cast<MetricHandle*>(metric); }

}  // namespace

template <char kKind>
summa_metric* MetricsService::Make(void* self, summa_str name, summa_str help,
                                   const summa_label* labels, std::size_t label_count) noexcept {
  constexpr Maker kMaker = kKind == 'c'   ? &CounterMetric
                           : kKind == 'g' ? &GaugeMetric
                                          : &HistogramMetric;
  try {
    if (labels == nullptr) label_count = 0;
    if (label_count > kMostLabels) return nullptr;
    MetricLabels all;
    for (std::size_t i = 0; i < label_count; ++i) {
      all.emplace_back(Copy(labels[i].name), Copy(labels[i].value));
    }
    MetricHandle* handle =
        static_cast<MetricsService*>(self)->Find(kKind, kMaker, View(name), View(help), all);
    return reinterpret_cast<summa_metric*>(handle);
  } catch (...) {
    return nullptr;
  }
}

MetricHandle* MetricsService::Find(char kind, Maker maker, std::string_view name,
                                   std::string_view help, const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  std::string key(1, kind);
  key += name;
  const auto known = handles_.find({key, labels});
  if (known != handles_.end()) return known->second;
  if (handles_.size() >= kMostHandles) {
    Log(LogLevel::kWarn, "SH-0333",
        "a plugin asked for more than 1,000 metrics; the rest is ignored",
        {{"plugin", plugin_id_}, {"metric", std::string(name)}});
    return nullptr;
  }
  MetricHandle* handle = maker(name, help, labels);
  handles_.emplace(std::make_pair(std::move(key), labels), handle);
  return handle;
}

MetricsService::MetricsService(std::string plugin_id) : plugin_id_(std::move(plugin_id)) {
  table_.struct_size = sizeof table_;
  table_.self = this;
  table_.counter = &MetricsService::Make<'c'>;
  table_.gauge = &MetricsService::Make<'g'>;
  table_.histogram = &MetricsService::Make<'h'>;
  table_.add = [](summa_metric* metric, double value) noexcept {
    if (metric != nullptr) Handle(metric)->Add(value);
  };
  table_.set = [](summa_metric* metric, double value) noexcept {
    if (metric != nullptr) Handle(metric)->Set(value);
  };
  table_.observe = [](summa_metric* metric, double value) noexcept {
    if (metric != nullptr) Handle(metric)->Observe(value);
  };
}

}  // namespace summa::host
