/* summa.metrics/1: Prometheus metrics, exported by the host at /metrics. [any]
 * Names: summa_<noun>_<unit>[_total], seconds and bytes, low-cardinality labels only (never an
 * account or message id). Handles live until the process ends; asking twice for the same name and
 * labels returns the same handle. Limit: 1,000 handles per plugin; beyond it NULL is returned, and
 * updates of NULL do nothing. */
#ifndef SUMMA_ABI_METRICS_H
#define SUMMA_ABI_METRICS_H
#include <summa/abi/plugin.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_METRICS_V1 "summa.metrics/1"

typedef struct summa_metric summa_metric;
typedef struct summa_label {
  summa_str name;
  summa_str value;
} summa_label;

typedef struct summa_metrics_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  summa_metric* (*counter)(void* self, summa_str name, summa_str help, const summa_label* labels,
                           size_t label_count);
  summa_metric* (*gauge)(void* self, summa_str name, summa_str help, const summa_label* labels,
                         size_t label_count);
  /* Buckets are those of latency in seconds, 1 ms to 10 s. */
  summa_metric* (*histogram)(void* self, summa_str name, summa_str help, const summa_label* labels,
                             size_t label_count);
  void (*add)(summa_metric* metric, double value);     /* counter: value >= 0; gauge: any */
  void (*set)(summa_metric* metric, double value);     /* gauge only */
  void (*observe)(summa_metric* metric, double value); /* histogram only */
} summa_metrics_v1;

#ifdef __cplusplus
}
#endif
#endif
