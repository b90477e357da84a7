/* summa.clock/1: local time. Leases and due times use the time of the database, never this one.
 * [any] */
#ifndef SUMMA_ABI_CLOCK_H
#define SUMMA_ABI_CLOCK_H
#include <summa/abi/plugin.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_CLOCK_V1 "summa.clock/1"

typedef struct summa_clock_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  int64_t (*boot_microseconds)(
      void* self); /* CLOCK_BOOTTIME: monotonic, includes suspend time; for deadlines and backoff */
  int64_t (*unix_microseconds)(void* self); /* wall clock: for display only */
} summa_clock_v1;

#ifdef __cplusplus
}
#endif
#endif
