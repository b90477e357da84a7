// summa.registry/1 for one plugin. Who provides what is decided by the resolver. Thread-safe when
// the resolver is.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "summa/abi/registry.h"
#include "summa/mutex.hpp"

namespace summa::host {

struct FoundService {
  const void* service = nullptr;
  std::string provider_id;
};

// In the order in which the plugins start; none when no plugin provides it. May throw Failure.
using ServiceResolver = std::function<std::vector<FoundService>(
    std::string_view plugin_id, std::string_view service_id, std::string_view alias)>;

class RegistryService {
 public:
  RegistryService(std::string plugin_id, ServiceResolver resolver);
  RegistryService(const RegistryService&) = delete;
  RegistryService& operator=(const RegistryService&) = delete;
  const summa_registry_v1* table() const { return &table_; }

 private:
  static std::int32_t Find(void* self, summa_str service_id, summa_str alias, const void** service,
                           summa_str* provider_id, summa_error* error) noexcept;
  static std::int32_t FindAll(void* self, summa_str service_id, summa_str alias,
                              void (*on_found)(void*, const void*, summa_str), void* result,
                              summa_error* error) noexcept;
  template <typename Body>
  static std::int32_t Guarded(summa_error* error, const Body& body) noexcept;
  summa_str Lend(const std::string& provider_id);

  const std::string plugin_id_;
  const ServiceResolver resolver_;
  Mutex mutex_;
  std::set<std::string> provider_ids_
      SUMMA_GUARDED_BY(mutex_);  // lent to the plugin; nodes never move
  summa_registry_v1 table_{};
};

}  // namespace summa::host
