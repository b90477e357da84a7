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
  table_.find_all = &RegistryService::FindAll;
}

template <typename Body>
std::int32_t RegistryService::Guarded(summa_error* error, const Body& body) noexcept {
  return detail::Guard(error, [&]() -> std::int32_t {
    try {
      body();
      return SUMMA_OK;
    } catch (const Failure& failure) {
      const Error& cause = failure.error();
      return detail::Fill(error, KindOf(cause), cause.code, cause.message, cause.hint,
                          cause.sqlstate);
    }
  });
}

summa_str RegistryService::Lend(const std::string& provider_id) {
  const MutexLock lock(mutex_);
  const std::string& id = *provider_ids_.insert(provider_id).first;
  return {id.data(), id.size()};
}

std::int32_t RegistryService::Find(void* self, summa_str service_id, summa_str alias,
                                   const void** service, summa_str* provider_id,
                                   summa_error* error) noexcept {
  *service = nullptr;
  auto& registry = *static_cast<RegistryService*>(self);
  return Guarded(error, [&] {
    const std::vector<FoundService> found =
        registry.resolver_(registry.plugin_id_, View(service_id), View(alias));
    if (found.empty()) {
      throw Failure(Error{"SH-0108",
                          "plugin \"" + registry.plugin_id_ + "\" asked for service " +
                              std::string(View(service_id)) + " as \"" + std::string(View(alias)) +
                              "\", which no plugin provides",
                          "Enable a plugin that provides it, and name it under `use:`.", "", 66});
    }
    if (provider_id != nullptr) *provider_id = registry.Lend(found.front().provider_id);
    *service = found.front().service;
  });
}

std::int32_t RegistryService::FindAll(void* self, summa_str service_id, summa_str alias,
                                      void (*on_found)(void*, const void*, summa_str), void* result,
                                      summa_error* error) noexcept {
  auto& registry = *static_cast<RegistryService*>(self);
  return Guarded(error, [&] {
    for (const FoundService& found :
         registry.resolver_(registry.plugin_id_, View(service_id), View(alias))) {
      on_found(result, found.service, registry.Lend(found.provider_id));
    }
  });
}

}  // namespace summa::host
