/* summa.worker/1 (extension): the plugin's workers. Ids, kinds and default intervals are in the
 * manifest.
 *
 * A worker is called by one thread at a time. A tick does a bounded piece of work and returns; the
 * host decides when the next tick comes: immediately while there is a backlog, otherwise at the due
 * time (periodic) or after an idle pause that grows to `idle_poll` (continuous).
 */
#ifndef SUMMA_ABI_WORKER_H
#define SUMMA_ABI_WORKER_H
#include <summa/abi/sql.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_WORKER_V1 "summa.worker/1"

enum summa_tick_flags {
  SUMMA_TICK_ONCE = 1, /* `run --once`: waiting for new work makes no sense */
  SUMMA_TICK_NEW_LEASE =
      2 /* first tick under this fence: discard what was learned under an earlier one */
};

typedef struct summa_tick {
  uint32_t struct_size;
  uint32_t flags;
  void* self;
  summa_str worker_id;
  int64_t fence; /* grows with every take-over; 0 for a worker without a lease */
  /* Sessions of the ledger that are opened here are fenced by this worker's lease. In a database of
   * its own for "read", they are not: the end of abi/sql.h says what to do there, with `fence`.
   * Valid for the tick. */
  const summa_sql_v1* sql;
  int32_t (*should_stop)(const struct summa_tick* tick); /* [any] 1: told to stop or lease no longer
                                                            trusted; return soon */
  /* [owner] Sleeps up to this long; returns 1 immediately when told to stop. */
  int32_t (*wait)(const struct summa_tick* tick, int64_t microseconds);
} summa_tick;

typedef struct summa_tick_result {
  uint32_t struct_size;
  uint32_t backlog; /* 1: there is more work, call again immediately */
  int64_t items;    /* work done in this tick, in the worker's own unit; shown to people */
  int64_t wait_hint_microseconds; /* with backlog 0: call again after this long at the latest; -1:
                                     no hint */
} summa_tick_result;

typedef struct summa_worker {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  summa_str id; /* as in the manifest */
  int32_t (*tick)(void* self, const summa_tick* tick, summa_tick_result* result,
                  summa_error* error);
} summa_worker;

typedef struct summa_worker_v1 {
  uint32_t struct_size;
  uint32_t worker_count;
  const summa_worker* const* workers;
} summa_worker_v1;

#ifdef __cplusplus
}
#endif
#endif
