/* summa.reload/1 (extension): a running plugin gets its part of the configuration again, after
 * SIGHUP.
 *
 * It applies what can change while it runs, such as a password for new connections, and names these
 * keys. Other keys keep their old values, and the host reports that they need a restart.
 */
#ifndef SUMMA_ABI_RELOAD_H
#define SUMMA_ABI_RELOAD_H
#include <summa/abi/plugin.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_RELOAD_V1 "summa.reload/1"

typedef struct summa_reload_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* [main] After configure(), also before start() and while start() is tried again; workers may run
   * meanwhile. `config` is the whole part of the plugin, checked as for configure(), and valid
   * during the call only. Calls took() once for each key that has taken effect. Any result except
   * SUMMA_OK: nothing was applied. */
  int32_t (*reload)(void* self, const summa_config* config,
                    void (*took)(void* result, summa_str key), void* result, summa_error* error);
} summa_reload_v1;

#ifdef __cplusplus
}
#endif
#endif
