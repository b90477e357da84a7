/* summa.operation/1: long work (a backfill, a rebuild, an export) that survives the process that
 * does it.
 *
 * An operation is a row of the journal summa_host.operation: a kind (from the manifest of the
 * plugin), a phase and a cursor in a form that the plugin chooses, and the progress. A verb or a
 * worker starts it; a worker of the plugin does it in steps, on the host that holds the worker's
 * lease. A step does one batch in a transaction; the host adds the new cursor to that transaction
 * and commits it under the lease. So the cursor always shows exactly what is done: after a kill -9,
 * a lost lease or a COMMIT without an answer the next step begins where the last commit ended.
 * Operators control operations with `summa-host operations ...`; a step sees that in rate and
 * should_stop().
 *
 * This holds for effects in the database `ledger`. Effects elsewhere may happen again when a step
 * is repeated: they must be idempotent.
 */
#ifndef SUMMA_ABI_OPERATION_H
#define SUMMA_ABI_OPERATION_H
#include <summa/abi/sql.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_OPERATION_V1 "summa.operation/1"

enum summa_operation_state {
  SUMMA_OPERATION_QUEUED = 0, /* no step has begun yet */
  SUMMA_OPERATION_RUNNING = 1,
  SUMMA_OPERATION_PAUSED = 2, /* by an operator, until resumed */
  SUMMA_OPERATION_DONE = 3,
  SUMMA_OPERATION_FAILED = 4, /* a step failed too often; only an operator can resume it */
  SUMMA_OPERATION_ABORTED = 5 /* by an operator, for good */
};

enum summa_operation_flags {
  /* At most one open operation of the kind: when there is one, start() returns its id. */
  SUMMA_OPERATION_SINGLE = 1,
  SUMMA_OPERATION_SET_RATE = 2 /* with SINGLE: also set this rate for an open one */
};

typedef struct summa_operation_request {
  uint32_t struct_size;
  uint32_t flags;
  summa_str kind;      /* of the plugin's manifest */
  summa_str arguments; /* one JSON object; empty: {} */
  int64_t total;       /* rows to do; -1: not known */
  int64_t rate;        /* rows a second at most; 0: no limit */
} summa_operation_request;

/* One operation, as recorded in the journal. Texts end with NUL and are cut at the limit. */
typedef struct summa_operation_view {
  uint32_t struct_size; /* set by the caller */
  int32_t state;        /* summa_operation_state */
  int64_t id;           /* 0: there is none */
  int64_t done;         /* rows */
  int64_t total;        /* rows; -1: not known */
  int64_t rate;         /* rows a second at most; 0: no limit */
  double rows_per_second;
  char phase[64];
  char error[512]; /* why the last step failed; empty: it did not */
} summa_operation_view;

/* What a step has done, to be committed with it. */
typedef struct summa_operation_progress {
  uint32_t struct_size;
  uint32_t finished; /* 1: nothing is left to do */
  summa_str phase;   /* where the next step begins, as the plugin chooses, */
  summa_str cursor;  /* at most 64 and 4,000 bytes */
  int64_t rows;      /* done since the last save */
  int64_t total;     /* of the whole operation; -1: unchanged */
} summa_operation_progress;

enum summa_operation_step_flags {
  /* The operation was aborted: remove what it has left (a trigger, a table), and save with
   * `finished`. No other step follows. */
  SUMMA_STEP_UNDO = 1
};

/* Valid during the step, including the texts, which keep their values from its beginning. */
typedef struct summa_operation_step {
  uint32_t struct_size;
  uint32_t flags;
  void* self;
  int64_t id;
  summa_str kind, phase, cursor; /* phase and cursor are empty in the first step */
  summa_str arguments;           /* one JSON object */
  int64_t done, total;           /* rows; total -1: not known */
  int64_t rows_wanted;           /* a good size for the batch */
  const summa_sql_v1* sql;       /* sessions commit only under the worker's lease */
  int64_t (*rate)(const struct summa_operation_step* step); /* [any] as last set */
  /* [any] 1: the host stops, the lease is gone, or the operation was paused or aborted. A step of a
   * second or less need not check this. A step that stops early returns SUMMA_E_CANCELLED. */
  int32_t (*should_stop)(const struct summa_operation_step* step);
  int32_t (*wait)(const struct summa_operation_step* step, int64_t microseconds); /* as in a tick */
  /* [owner] Commits the read-write transaction that is open on this session, opened from `sql`,
   * together with the progress. A failure means that neither or (SH-0404) both are committed:
   * return it; the next step learns it from its cursor. A step that cannot be made smaller may call
   * this more than once to keep what it has done. */
  int32_t (*save)(const struct summa_operation_step* step, summa_sql_session* session,
                  const summa_operation_progress* progress, summa_error* error);
} summa_operation_step;

/* The caller that runs operations: a worker in its tick, or a verb with the worker's lease. */
typedef struct summa_operation_run {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  summa_str kind;             /* its operations, the oldest first */
  int64_t id;                 /* only this one; 0: any that is ready */
  const summa_sql_v1* sql;    /* of the tick or of the verb */
  int64_t limit_microseconds; /* return after about this time; 0: when nothing is ready */
  int32_t (*should_stop)(void* self);
  int32_t (*wait)(void* self, int64_t microseconds);
  /* One batch. SUMMA_OK without a save: there is nothing to do at the moment; it is called again
   * after a pause. */
  int32_t (*step)(void* self, const summa_operation_step* step, summa_error* error);
} summa_operation_run;

typedef struct summa_operation_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* [any] Writes an operation to the journal, in a separate transaction. */
  int32_t (*start)(void* self, const summa_sql_v1* sql, const summa_operation_request* request,
                   int64_t* id, summa_error* error);
  /* [owner] Does steps until nothing is ready, the limit has passed or it is told to stop. The view
   * shows the operation that was processed last, or the one that was named; rows: done in this
   * call. A failing step is recorded in the journal and tried again later; after `retries`
   * (manifest) failures the operation has failed. With `retries: 0` the failure is returned
   * instead. Failures that pass by themselves (database unreachable, lease lost) are always
   * returned. */
  int32_t (*run)(void* self, const summa_operation_run* run, summa_operation_view* view,
                 int64_t* rows, summa_error* error);
  /* [any] SUMMA_E_NOT_FOUND: the plugin has no operation of this id. */
  int32_t (*look)(void* self, const summa_sql_v1* sql, int64_t id, summa_operation_view* view,
                  summa_error* error);
} summa_operation_v1;

#ifdef __cplusplus
}
#endif
#endif
