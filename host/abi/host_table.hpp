// The summa_host given to one plugin, and the services behind it. Must outlive the plugin: keep it
// until after destroy(). Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/abi/bus_gate.hpp"
#include "host/abi/clock_service.hpp"
#include "host/abi/lease_service.hpp"
#include "host/abi/log_service.hpp"
#include "host/abi/metrics_service.hpp"
#include "host/abi/operation_service.hpp"
#include "host/abi/registry_service.hpp"
#include "host/abi/sql_service.hpp"
#include "summa/abi/plugin.h"

namespace summa::host {

// What is the same for every plugin.
struct HostTableSettings {
  std::string version;             // of the host program
  std::string instance;            // unique per process start: the holder of its leases
  SqlService* sql = nullptr;       // nullptr: no database, summa.sql/1 is absent
  LeaseService* leases = nullptr;  // nullptr: no database, summa.lease/1 is absent
  std::string requester;           // who asks for operations; empty: the instance
  ServiceResolver resolver;
  Consuming consuming = Consuming::kNobody;
};

class HostTable {
 public:
  // metrics: those that the manifest declares; nullopt: whatever the plugin asks for. operations:
  // the kinds that it declares; without any, or without a database, summa.operation/1 is absent.
  HostTable(const std::string& plugin_id, HostTableSettings settings,
            std::optional<std::vector<MetricDeclaration>> metrics = std::nullopt,
            const std::vector<OperationKind>& operations = {});
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;
  const summa_host* table() const { return &table_; }

 private:
  static const void* GetService(const summa_host* host, const char* service_id) noexcept;

  const HostTableSettings settings_;
  const summa_sql_v1* sql_ = nullptr;
  LogService log_;
  ClockService clock_;
  MetricsService metrics_;
  RegistryService registry_;
  std::optional<OperationService> operations_;
  summa_host table_{};
};

}  // namespace summa::host
