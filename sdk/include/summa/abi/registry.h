/* summa.registry/1: services of other plugins, found by the name that the manifest gives them.
 * [any]
 */
#ifndef SUMMA_ABI_REGISTRY_H
#define SUMMA_ABI_REGISTRY_H
#include <summa/abi/plugin.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_REGISTRY_V1 "summa.registry/1"

typedef struct summa_registry_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* service_id: "summa.bus/1". alias: the `as` of the plugin's own `requires` entry. The provider
   * is chosen by `use:` in the configuration, or is the only plugin that provides the service.
   * provider_id: the id of the provider, borrowed until destroy(). SUMMA_E_NOT_FOUND when the
   * service is optional and absent. Call it from start() on; the provider has started by then and
   * stops after the caller.
   */
  int32_t (*find)(void* self, summa_str service_id, summa_str alias, const void** service,
                  summa_str* provider_id, summa_error* error);
  /* For a `requires` entry with `many: true`: calls on_found for each enabled plugin that provides
   * the service and has started, in the order of their start; for none when there is none. */
  int32_t (*find_all)(void* self, summa_str service_id, summa_str alias,
                      void (*on_found)(void* result, const void* service, summa_str provider_id),
                      void* result, summa_error* error);
} summa_registry_v1;

#ifdef __cplusplus
}
#endif
#endif
