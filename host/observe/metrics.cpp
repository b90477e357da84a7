#include "host/observe/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <sstream>

#include "host/observe/log.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

class CounterHandle final : public MetricHandle {
 public:
  explicit CounterHandle(prometheus::Counter& counter) : counter_(counter) {}
  // A counter that falls would look like a restart.
  void Add(double value) override {
    if (value >= 0 && std::isfinite(value)) counter_.Increment(value);
  }

 private:
  prometheus::Counter& counter_;
};

class GaugeHandle final : public MetricHandle {
 public:
  explicit GaugeHandle(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void Add(double value) override { gauge_.Increment(value); }
  void Set(double value) override { gauge_.Set(value); }

 private:
  prometheus::Gauge& gauge_;
};

class HistogramHandle final : public MetricHandle {
 public:
  explicit HistogramHandle(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void Observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

const prometheus::Histogram::BucketBoundaries& LatencyBuckets() {
  static const auto& buckets = *new prometheus::Histogram::BucketBoundaries{
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  return buckets;
}

bool IsWord(std::string_view text, bool colon_allowed) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colon_allowed && c == ':');
  });
}

bool ValidLabels(const MetricLabels& labels) {
  return std::all_of(labels.begin(), labels.end(), [](const auto& label) {
    // "le" is the histogram's own, "__" is Prometheus' own.
    return IsWord(label.first, false) && label.first != "le" && label.first.substr(0, 2) != "__";
  });
}

class Metrics {
 public:
  MetricHandle* Find(MetricType type, std::string_view name, std::string_view help,
                     MetricLabels labels) {
    std::sort(labels.begin(), labels.end());
    const MutexLock lock(mutex_);
    const std::string text(name);
    const auto known = types_.find(text);
    if (!IsWord(name, true) || !ValidLabels(labels)) {
      return Refused(text, "its name or a label is not of the form [a-zA-Z_][a-zA-Z0-9_]*");
    }
    if (known != types_.end() && known->second != type) {
      return Refused(text, "it is already a metric of another type");
    }
    auto& handle = handles_[{text, labels}];
    if (!handle) {
      handle = Make(type, text, std::string(help), labels);
      types_.emplace(text, type);
    }
    return handle.get();
  }

  std::string Text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, registry_.Collect());
    return out.str();
  }

 private:
  static MetricHandle* Refused(const std::string& name, std::string_view why) {
    Log(LogLevel::kWarn, "SH-0331", "a metric was refused and is not exported",
        {{"metric", name}, {"why", std::string(why)}});
    return nullptr;
  }

  std::unique_ptr<MetricHandle> Make(MetricType type, const std::string& name,
                                     const std::string& help, const MetricLabels& labels) {
    const std::map<std::string, std::string> map(labels.begin(), labels.end());
    switch (type) {
      case MetricType::kCounter:
        return std::make_unique<CounterHandle>(
            prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(map));
      case MetricType::kGauge:
        return std::make_unique<GaugeHandle>(
            prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add(map));
      case MetricType::kHistogram:
        break;
    }
    return std::make_unique<HistogramHandle>(
        prometheus::BuildHistogram().Name(name).Help(help).Register(registry_).Add(
            map, LatencyBuckets()));
  }

  prometheus::Registry registry_;
  Mutex mutex_;
  std::map<std::string, MetricType> types_ SUMMA_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, MetricLabels>, std::unique_ptr<MetricHandle>> handles_
      SUMMA_GUARDED_BY(mutex_);
};

// Never destroyed: threads that were abandoned may still count.
Metrics& TheMetrics() {
  static auto* metrics = new Metrics;
  return *metrics;
}

}  // namespace

MetricHandle* FindMetric(MetricType type, std::string_view name, std::string_view help,
                         const MetricLabels& labels) {
  return TheMetrics().Find(type, name, help, labels);
}
std::string MetricsText() { return TheMetrics().Text(); }

}  // namespace summa::host
