/* summa.command/1 (extension): verbs that the plugin adds to the command line ("outbox status").
 * Verbs, options and help are in the manifest, so that `--help` needs no code of the plugin. A
 * command runs in a separate process without workers, after configure() and start(). [main]
 */
#ifndef SUMMA_ABI_COMMAND_H
#define SUMMA_ABI_COMMAND_H
#include <summa/abi/sql.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_COMMAND_V1 "summa.command/1"

typedef struct summa_command_call {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  summa_str verb; /* "outbox status" */
  const summa_sql_v1*
      sql; /* unleased, unless the manifest names a worker whose lease the verb takes */
  /* 1 and the value (normalised as in summa_config) when the option was given or has a default,
   * else 0. A flag is "true". */
  int32_t (*option)(const struct summa_command_call* call, summa_str name, summa_str* value);
  int32_t (*should_stop)(const struct summa_command_call* call);
  int32_t (*wait)(const struct summa_command_call* call,
                  int64_t microseconds); /* as in summa_tick */
  /* One JSON object of a stream of results, printed as a line on stdout immediately. */
  void (*emit)(const struct summa_command_call* call, summa_str json_object);
  /* Progress for people (stderr). total 0: unknown. */
  void (*progress)(const struct summa_command_call* call, summa_str label, int64_t done,
                   int64_t total);
} summa_command_call;

typedef struct summa_command_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* result: memory of the host; write() appends the members of ONE JSON object ({"pending":0,...}).
   * Returns SUMMA_OK, SUMMA_E_FINDING (the result is printed, exit 1), or a failure. */
  int32_t (*run)(void* self, const summa_command_call* call,
                 void (*write)(void* result, summa_str json_object), void* result,
                 summa_error* error);
} summa_command_v1;

/* summa.status/1 (extension): what the plugin adds to `/status` and to the result of `run --once`:
 * one JSON object, cheap, from memory. [any] */
#define SUMMA_STATUS_V1 "summa.status/1"

typedef struct summa_status_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  void (*status)(void* self, void (*write)(void* result, summa_str json_object), void* result);
} summa_status_v1;

#ifdef __cplusplus
}
#endif
#endif
