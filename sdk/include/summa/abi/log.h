/* summa.log/1: one line per event, written by the host in its format (text or JSON). [any] */
#ifndef SUMMA_ABI_LOG_H
#define SUMMA_ABI_LOG_H
#include <summa/abi/plugin.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_LOG_V1 "summa.log/1"

enum summa_log_level {
  SUMMA_LOG_DEBUG = 0,
  SUMMA_LOG_INFO = 1,
  SUMMA_LOG_WARN = 2,
  SUMMA_LOG_ERROR = 3
};

typedef struct summa_log_field {
  summa_str name;
  summa_str value;
} summa_log_field;

typedef struct summa_log_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* code: stable code ("SH-0503") or empty. message: constant text; variable parts go into fields.
   * Never log payloads, secrets or connection strings. Texts above 2,000 bytes are cut.
   * Lines of a plugin with the same level, code, message and field "worker" within 10 s are folded:
   * the first is written with its fields, then one with the fields of the last of them and how many
   * there were. What must be seen of each occurrence belongs into a table or a metric. */
  void (*write)(void* self, int32_t level, summa_str code, summa_str message,
                const summa_log_field* fields, size_t field_count);
  int32_t (*enabled)(void* self, int32_t level); /* 1 when a line of this level would be written */
} summa_log_v1;

#ifdef __cplusplus
}
#endif
#endif
