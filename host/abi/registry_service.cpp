#include "host/abi/registry_service.hpp"

#include <cstdint>

#include "host/abi/abi_text.hpp"
#include "host/error.hpp"
#include "summa/error.hpp"

namespace summa::host {

RegistryService::RegistryService(std::string plugin_id, ServiceResolver resolver)
    : plugin_id_(std::move(plugin_id)), resolver_(std::move(resolver)) {
  table_.struct_size = sizeof table_;
  table_.self = this;
  table_.find = &RegistryService::Find;
}

std::int32_t RegistryService::Find(void* self, summa_str service_id, summa_str alias,
                                   const void** service, summa_str* provider_id,
                                   summa_error* error) noexcept {
  *service = nullptr;
  auto& registry = *static_cast<RegistryService*>(self);
  return detail::Guard(error, [&]() -> std::int32_t {
    try {
      const FoundService found =
          registry.resolver_(registry.plugin_id_, View(service_id), View(alias));
      const MutexLock lock(registry.mutex_);
      const std::string& id = *registry.provider_ids_.insert(found.provider_id).first;
      if (provider_id != nullptr) *provider_id = {id.data(), id.size()};
      *service = found.service;
      return SUMMA_OK;
    } catch (const Failure& failure) {
      const Error& cause = failure.error();
      return detail::Fill(error, KindOf(cause), cause.code, cause.message, cause.hint,
                          cause.sqlstate);
    }
  });
}

}  // namespace summa::host
