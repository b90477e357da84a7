/* summa.lease/1: what this host knows about the lease of a worker, read-only. The host runs workers
 * under their leases and fences commits; nothing here is needed for that. It is for a plugin that
 * shows who does the work, or that stops an effect outside the database in time. [any]
 *
 * Nothing here queries the database: the answer is the last known state, and costs a lock and a
 * copy. A lease that is no longer trusted may already belong to another host. */
#ifndef SUMMA_ABI_LEASE_H
#define SUMMA_ABI_LEASE_H
#include <summa/abi/plugin.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_LEASE_V1 "summa.lease/1"

/* One lease, at the time of the call. The host fills as much as the caller's struct_size allows.
 */
typedef struct summa_lease_view {
  uint32_t struct_size; /* set by the caller */
  int32_t held;         /* 1: by this host; it may have ended meanwhile: see trusted */
  int32_t trusted;      /* 1: held, and not so near its end that an effect could come too late */
  uint32_t reserved;
  int64_t fence;              /* when held, else 0: raised with every new holder */
  int64_t trust_microseconds; /* left until it is no longer trusted; 0 when it is not */
  /* When the lease ends if it is not renewed, by this host's wall clock: for people, never for a
   * decision. 0: unknown, or without an end. */
  int64_t lease_until_unix_microseconds;
  char holder[104]; /* ends with NUL; empty: nobody holds it, or the holder is unknown */
} summa_lease_view;

typedef struct summa_lease_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* worker_id: of any plugin. An unknown worker has no holder. The holder of another host's lease
   * is known only while a worker of this host waits for it. SUMMA_E_USAGE: the view is NULL or has
   * no struct_size. */
  int32_t (*look)(void* self, summa_str worker_id, summa_lease_view* view, summa_error* error);
} summa_lease_v1;

#ifdef __cplusplus
}
#endif
#endif
