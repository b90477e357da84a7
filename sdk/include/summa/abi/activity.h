/* summa.activity/1 (extension): what a plugin does outside its workers: its own threads and
 * subscriptions. It is only for a running host: `doctor`, verbs, `run --once` and checks of the
 * configuration call start() but never this.
 */
#ifndef SUMMA_ABI_ACTIVITY_H
#define SUMMA_ABI_ACTIVITY_H
#include <summa/abi/plugin.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_ACTIVITY_V1 "summa.activity/1"

typedef struct summa_activity_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* [main] When every plugin has started and the workers run. SUMMA_E_UNAVAILABLE and
   * SUMMA_E_TRY_LATER: the host asks again, after a pause, until it is told to stop. */
  int32_t (*activate)(void* self, summa_error* error);
  /* [main] Called first at the end, before workers are told to stop, if activate() was called, also
   * when it failed. */
  int32_t (*deactivate)(void* self, summa_error* error);
} summa_activity_v1;

#ifdef __cplusplus
}
#endif
#endif
