/* summa.health/1 (extension): the problems that a plugin knows about, and what it finds when it
 * checks its environment.
 *
 *   failing()  what the host shows in `/readyz`: from memory, at any time.
 *   examine()  what `summa-host doctor` asks: with input and output, once, in a process of its own.
 *
 * A finding is for people: it names what was checked, what was found, what was expected and what to
 * do. Texts are UTF-8, borrowed for the call of report(); the host cuts each at 2,000 bytes.
 */
#ifndef SUMMA_ABI_HEALTH_H
#define SUMMA_ABI_HEALTH_H
#include <summa/abi/sql.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_HEALTH_V1 "summa.health/1"

enum summa_severity {
  SUMMA_SEVERITY_OK = 0,   /* checked and good; failing() does not report these */
  SUMMA_SEVERITY_WARN = 1, /* works, but should be checked; the host stays ready */
  SUMMA_SEVERITY_ERROR = 2 /* does not work, or loses something; the host is not ready */
};

typedef struct summa_finding {
  uint32_t struct_size;
  int32_t severity;   /* any other value counts as SUMMA_SEVERITY_ERROR */
  summa_str subject;  /* what was checked: "maxmemory-policy", "the bus" */
  summa_str found;    /* "noeviction"; in failing(): why, since when */
  summa_str expected; /* may be empty */
  summa_str fix;      /* what to do; may be empty when there is nothing to do */
} summa_finding;

/* One examination; valid during examine(). */
typedef struct summa_examination {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  const summa_sql_v1* sql; /* for reading: begin transactions with SUMMA_SQL_READ_ONLY only */
  int32_t (*should_stop)(const struct summa_examination* examination); /* return soon */
  void (*report)(const struct summa_examination* examination, const summa_finding* finding);
} summa_examination;

typedef struct summa_health_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* [any] Calls report() for each problem, in the thread of the caller. Must be cheap, from memory,
   * without input or output, because a probe waits for it. NULL: there is nothing to report. */
  void (*failing)(void* self, void (*report)(void* result, const summa_finding* finding),
                  void* result);
  /* [main] After configure() and start(). Checks and changes nothing; also reports what is good, so
   * that people see what was checked. A failure (the bus is unreachable) is shown as a finding,
   * after those already reported. Every wait needs a limit. NULL: there is nothing to check. */
  int32_t (*examine)(void* self, const summa_examination* examination, summa_error* error);
} summa_health_v1;

#ifdef __cplusplus
}
#endif
#endif
