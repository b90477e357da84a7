// The host as a plugin sees it: log, clock, metrics, SQL and the services of other plugins.
#pragma once

#include <summa/abi/clock.h>
#include <summa/abi/lease.h>
#include <summa/abi/log.h>
#include <summa/abi/metrics.h>
#include <summa/abi/operation.h>
#include <summa/abi/registry.h>
#include <summa/abi/sql.h>
#include <summa/error.hpp>
#include <summa/time.hpp>

#include <chrono>
#include <initializer_list>
#include <vector>

namespace summa {

struct LogField {
  std::string_view name;
  std::string value;
};

// Handle of a metric; a default-constructed one does nothing. Thread-safe.
class Metric {
 public:
  Metric() = default;
  Metric(const summa_metrics_v1* service, summa_metric* metric)
      : service_(service), metric_(metric) {}
  void Add(double value = 1) const {
    if (metric_ != nullptr) service_->add(metric_, value);
  }
  void Set(double value) const {
    if (metric_ != nullptr) service_->set(metric_, value);
  }
  void Observe(double value) const {
    if (metric_ != nullptr) service_->observe(metric_, value);
  }

 private:
  const summa_metrics_v1* service_ = nullptr;
  summa_metric* metric_ = nullptr;
};

// Cheap to copy; valid until the plugin is destroyed. Thread-safe. Do not use it in the constructor
// of the plugin: the host provides its services from configure() on.
class Host {
 public:
  explicit Host(const summa_host* host) : host_(host) {}

  std::string_view instance() const { return FromAbi(host_->instance); }
  std::string_view version() const { return FromAbi(host_->version); }

  void Log(summa_log_level level, std::string_view code, std::string_view message,
           std::initializer_list<LogField> fields = {}) const {
    const auto* log = Service<summa_log_v1>(SUMMA_LOG_V1);
    if (log == nullptr || log->enabled(log->self, level) == 0) return;
    std::vector<summa_log_field> abi_fields;
    abi_fields.reserve(fields.size());
    for (const LogField& field : fields) {
      abi_fields.push_back({ToAbi(field.name), ToAbi(field.value)});
    }
    log->write(log->self, level, ToAbi(code), ToAbi(message), abi_fields.data(), abi_fields.size());
  }
  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) const {
    Log(SUMMA_LOG_DEBUG, {}, message, fields);
  }
  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) const {
    Log(SUMMA_LOG_INFO, {}, message, fields);
  }
  void Warn(std::string_view code, std::string_view message,
            std::initializer_list<LogField> fields = {}) const {
    Log(SUMMA_LOG_WARN, code, message, fields);
  }

  // Includes suspend time, never jumps. For deadlines and pauses.
  BootTime BootNow() const {
    const auto* clock = Service<summa_clock_v1>(SUMMA_CLOCK_V1);
    return FromMicroseconds<BootTime>(clock->boot_microseconds(clock->self));
  }
  // The wall clock of this machine: for people only.
  UnixTime UnixNow() const {
    const auto* clock = Service<summa_clock_v1>(SUMMA_CLOCK_V1);
    return FromMicroseconds<UnixTime>(clock->unix_microseconds(clock->self));
  }

  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;
  Metric Counter(std::string_view name, std::string_view help, Labels labels = {}) const {
    return MakeMetric(&summa_metrics_v1::counter, name, help, labels);
  }
  Metric Gauge(std::string_view name, std::string_view help, Labels labels = {}) const {
    return MakeMetric(&summa_metrics_v1::gauge, name, help, labels);
  }
  Metric Histogram(std::string_view name, std::string_view help, Labels labels = {}) const {
    return MakeMetric(&summa_metrics_v1::histogram, name, help, labels);
  }

  // Sessions without a lease: their commits are not fenced. Workers must use the sessions of their
  // tick.
  const summa_sql_v1* sql() const { return Service<summa_sql_v1>(SUMMA_SQL_V1); }

  // For ReadLease() of <summa/lease.hpp>; nullptr: the host is too old.
  const summa_lease_v1* lease() const { return Service<summa_lease_v1>(SUMMA_LEASE_V1); }

  // For the functions of <summa/operation.hpp>; nullptr: the manifest declares no kinds of
  // operations.
  const summa_operation_v1* operations() const {
    return Service<summa_operation_v1>(SUMMA_OPERATION_V1);
  }

  struct Found {
    const void* service;
    std::string provider;
  };
  // The services of all plugins that provide it, for a `requires` entry with `many: true`. Available
  // from Plugin::Start on.
  std::vector<Found> FindServices(std::string_view service_id, std::string_view alias) const {
    const auto* registry = Service<summa_registry_v1>(SUMMA_REGISTRY_V1);
    std::vector<Found> found;
    if (registry->struct_size < sizeof *registry) return found;  // an older host
    summa_error error = detail::EmptyError();
    detail::Check(registry->find_all(
                      registry->self, ToAbi(service_id), ToAbi(alias),
                      [](void* result, const void* service, summa_str provider) {
                        static_cast<std::vector<Found>*>(result)->push_back(
                            {service, std::string(FromAbi(provider))});
                      },
                      &found, &error),
                  error);
    return found;
  }
  // A service of another plugin, by the alias in this plugin's `requires`. Available from
  // Plugin::Start on.
  Found FindService(std::string_view service_id, std::string_view alias) const {
    const auto* registry = Service<summa_registry_v1>(SUMMA_REGISTRY_V1);
    summa_error error = detail::EmptyError();
    Found found{nullptr, {}};
    summa_str provider{};
    detail::Check(registry->find(registry->self, ToAbi(service_id), ToAbi(alias), &found.service,
                                 &provider, &error),
                  error);
    found.provider = FromAbi(provider);
    return found;
  }

 private:
  template <typename T>
  const T* Service(const char* id) const {
    return static_cast<const T*>(host_->get_service(host_, id));
  }
  Metric MakeMetric(decltype(summa_metrics_v1::counter) summa_metrics_v1::*make,
                    std::string_view name, std::string_view help, Labels labels) const {
    const auto* metrics = Service<summa_metrics_v1>(SUMMA_METRICS_V1);
    if (metrics == nullptr) return {};
    std::vector<summa_label> abi_labels;
    for (const auto& [key, value] : labels) abi_labels.push_back({ToAbi(key), ToAbi(value)});
    return {metrics, (metrics->*make)(metrics->self, ToAbi(name), ToAbi(help), abi_labels.data(),
                                      abi_labels.size())};
  }

  const summa_host* host_;
};

}  // namespace summa
