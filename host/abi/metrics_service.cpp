#include "host/abi/metrics_service.hpp"

#include <algorithm>
#include <cmath>

#include "host/abi/abi_text.hpp"
#include "host/abi/foreign_text.hpp"
#include "host/observe/host_metrics.hpp"
#include "host/observe/log.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMaxHandles = 1000;  // promised in metrics.h
constexpr std::size_t kMaxLabels = 16;     // of one handle; more is a mistake
constexpr std::size_t kMaxNameBytes = 200;
constexpr std::size_t kMaxHelpBytes = 500;
constexpr std::size_t kMaxValueBytes = 200;  // of a label

bool SameLabels(const MetricDeclaration& declared, const MetricLabels& labels) {
  if (declared.labels.size() != labels.size()) return false;
  return std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
    return std::find(declared.labels.begin(), declared.labels.end(), label.first) !=
           declared.labels.end();
  });
}

}  // namespace

template <MetricType kType>
summa_metric* MetricsService::Make(void* self, summa_str name, summa_str help,
                                   const summa_label* labels, std::size_t label_count) noexcept {
  try {
    auto* service = static_cast<MetricsService*>(self);
    const std::string clean_name = CleanLine(View(name), kMaxNameBytes);
    MetricLabels all;
    if (labels == nullptr) label_count = 0;
    for (std::size_t i = 0; i < std::min(label_count, kMaxLabels + 1); ++i) {
      all.emplace_back(CleanLine(View(labels[i].name), kMaxNameBytes),
                       CleanLine(View(labels[i].value), kMaxValueBytes));
    }
    return reinterpret_cast<summa_metric*>(
        service->Find(kType, clean_name, CleanLine(View(help), kMaxHelpBytes), all));
  } catch (...) {
    return nullptr;
  }
}

std::string MetricsService::Problem(MetricType type, const std::string& name,
                                    const MetricLabels& labels) const {
  const auto& own = HostMetrics();
  if (std::any_of(own.begin(), own.end(), [&](const auto& each) { return each.name == name; })) {
    return "it is a metric of the host";
  }
  if (labels.size() > kMaxLabels) return "it has more than 16 labels";
  if (!declared_) return {};
  const auto found = std::find_if(declared_->begin(), declared_->end(),
                                  [&](const auto& each) { return each.name == name; });
  if (found == declared_->end()) return "the manifest does not declare it";
  if (found->type != type) {
    return "the manifest declares it as a " + std::string(ToText(found->type));
  }
  if (!SameLabels(*found, labels)) return "its labels are not those of the manifest";
  return {};
}

MetricsService::Handle* MetricsService::Keep(Handle* handle) {
  static auto* mutex = new Mutex;
  static auto* kept = new std::vector<std::unique_ptr<Handle>>;
  const MutexLock lock(*mutex);
  return kept->emplace_back(handle).get();
}

MetricsService::Handle* MetricsService::Find(MetricType type, const std::string& name,
                                             const std::string& help, const MetricLabels& labels) {
  const MutexLock lock(mutex_);
  const std::pair key(std::string(ToText(type)) + name, labels);
  const auto known = handles_.find(key);
  if (known != handles_.end()) return known->second;
  if (handles_.size() >= kMaxHandles) {
    Log(LogLevel::kWarn, "SH-0333",
        "a plugin asked for more than 1,000 metrics; the others are not exported",
        {{"plugin", plugin_id_}, {"metric", name}});
    return nullptr;
  }
  MetricHandle* metric = nullptr;
  if (const std::string problem = Problem(type, name, labels); !problem.empty()) {
    Log(LogLevel::kWarn, "SH-0356", "a metric of a plugin was refused and is not exported",
        {{"plugin", plugin_id_}, {"metric", name}, {"why", problem}});
  } else {
    metric = FindMetric(type, name, help, labels);
  }
  // A refusal is remembered, too: it is said once, and counts.
  Handle* handle = metric == nullptr ? nullptr : Keep(new Handle{metric, type, plugin_id_, name});
  handles_.emplace(key, handle);
  return handle;
}

void MetricsService::Change(summa_metric* metric, double value,
                            void (MetricHandle::*change)(double), bool fits) noexcept {
  auto* handle = reinterpret_cast<Handle*>(metric);
  if (fits && std::isfinite(value)) {
    (handle->metric->*change)(value);
    return;
  }
  if (handle->named.exchange(true)) return;
  try {
    Log(LogLevel::kWarn, "SH-0357", "a plugin gave a metric an invalid value",
        {{"plugin", handle->plugin},
         {"metric", handle->name},
         {"type", std::string(ToText(handle->type))},
         {"value", std::to_string(value)}});
  } catch (...) {
    // Out of memory: a lost line is better than a dead plugin.
  }
}

MetricsService::MetricsService(std::string plugin_id,
                               std::optional<std::vector<MetricDeclaration>> declared)
    : plugin_id_(std::move(plugin_id)), declared_(std::move(declared)) {
  table_.struct_size = sizeof table_;
  table_.self = this;
  table_.counter = &MetricsService::Make<MetricType::kCounter>;
  table_.gauge = &MetricsService::Make<MetricType::kGauge>;
  table_.histogram = &MetricsService::Make<MetricType::kHistogram>;
  table_.add = [](summa_metric* metric, double value) noexcept {
    if (metric == nullptr) return;
    const MetricType of = reinterpret_cast<Handle*>(metric)->type;
    const bool fits = of == MetricType::kGauge || (of == MetricType::kCounter && value >= 0);
    Change(metric, value, &MetricHandle::Add, fits);
  };
  table_.set = [](summa_metric* metric, double value) noexcept {
    if (metric == nullptr) return;
    const bool fits = reinterpret_cast<Handle*>(metric)->type == MetricType::kGauge;
    Change(metric, value, &MetricHandle::Set, fits);
  };
  table_.observe = [](summa_metric* metric, double value) noexcept {
    if (metric == nullptr) return;
    const bool fits = reinterpret_cast<Handle*>(metric)->type == MetricType::kHistogram;
    Change(metric, value, &MetricHandle::Observe, fits);
  };
}

}  // namespace summa::host
