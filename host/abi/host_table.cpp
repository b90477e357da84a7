#include "host/abi/host_table.hpp"

#include <string_view>

namespace summa::host {

HostTable::HostTable(const std::string& plugin_id, HostTableSettings settings,
                     std::optional<std::vector<MetricDeclaration>> metrics,
                     const std::vector<OperationKind>& operations)
    : settings_(std::move(settings)),
      log_(plugin_id),
      clock_(SystemClock()),
      metrics_(plugin_id, std::move(metrics)),
      registry_(plugin_id, settings_.resolver) {
  if (settings_.sql != nullptr) sql_ = settings_.sql->ForPlugin(plugin_id);
  if (settings_.sql != nullptr && !operations.empty()) {
    const bool named = !settings_.requester.empty();
    operations_.emplace(plugin_id, operations, settings_.instance,
                        named ? settings_.requester : settings_.instance, SystemClock());
  }
  table_.struct_size = sizeof table_;
  table_.abi_major = SUMMA_ABI_MAJOR;
  table_.abi_minor = SUMMA_ABI_MINOR;
  table_.self = this;
  table_.version = {settings_.version.data(), settings_.version.size()};
  table_.instance = {settings_.instance.data(), settings_.instance.size()};
  table_.get_service = &HostTable::GetService;
}

const void* HostTable::GetService(const summa_host* host, const char* service_id) noexcept {
  if (service_id == nullptr) return nullptr;
  const auto& self = *static_cast<const HostTable*>(host->self);
  const std::string_view id(service_id);
  if (id == SUMMA_LOG_V1) return self.log_.table();
  if (id == SUMMA_CLOCK_V1) return self.clock_.table();
  if (id == SUMMA_METRICS_V1) return self.metrics_.table();
  if (id == SUMMA_REGISTRY_V1) return self.registry_.table();
  if (id == SUMMA_SQL_V1) return self.sql_;
  if (id == SUMMA_LEASE_V1 && self.settings_.leases != nullptr) {
    return self.settings_.leases->table();
  }
  if (id == SUMMA_OPERATION_V1 && self.operations_) return self.operations_->table();
  return nullptr;
}

}  // namespace summa::host
