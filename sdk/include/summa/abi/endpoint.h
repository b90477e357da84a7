/* summa.endpoint/1 (extension): paths that the host serves over HTTP for the plugin. Methods,
 * paths, parameters and access are in the manifest, so that `GET /openapi.json` needs no code of
 * the plugin, and invalid requests do not reach it.
 *
 * A request is handled on a thread of the host, concurrently with workers and other requests. The
 * host handles at most `host.http.concurrency` requests of a plugin at the same time, and answers
 * for a handler that takes longer than `host.http.timeout`.
 */
#ifndef SUMMA_ABI_ENDPOINT_H
#define SUMMA_ABI_ENDPOINT_H
#include <summa/abi/sql.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_ENDPOINT_V1 "summa.endpoint/1"

/* One request; valid until handle() returns. */
typedef struct summa_request {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  summa_str method; /* as in the manifest: a HEAD arrives as a GET */
  summa_str path;   /* as in the manifest: "/v1/accounts/{id}/balance" */
  summa_str body;   /* not checked; empty unless the manifest declares one */
  /* Sessions without a lease, for this request only: they are closed after it, and their statements
   * are cancelled when its time limit has passed. */
  const summa_sql_v1* sql;
  /* 1 and the value (checked and normalised as in summa_config) when the parameter was given or has
   * a default, else 0. */
  int32_t (*parameter)(const struct summa_request* request, summa_str name, summa_str* value);
  /* 1 and the value when the request has the header (name in lower case), else 0. The host keeps
   * "authorization" for itself. */
  int32_t (*header)(const struct summa_request* request, summa_str name, summa_str* value);
  /* [any] 1: the client no longer waits for the answer; return soon. */
  int32_t (*should_stop)(const struct summa_request* request);
} summa_request;

typedef struct summa_response {
  uint32_t struct_size;
  int32_t status;         /* 200 to 599, except 304, which the host derives from etag */
  summa_str content_type; /* empty: application/json */
  summa_str etag;         /* "\"7\"" with its quotes; empty: the host computes one */
  summa_str body;         /* at most 16 MiB */
} summa_response;

/* Texts are valid as long as the plugin exists. */
typedef struct summa_route {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  summa_str method; /* as in the manifest */
  summa_str path;   /* as in the manifest */
  /* [any] Calls respond() once, which copies, and returns SUMMA_OK. On a failure the client gets
   * {"error":{"code","message"}} with the matching HTTP status: SUMMA_E_USAGE and SUMMA_E_DATA 400,
   * SUMMA_E_DENIED 403, SUMMA_E_NOT_FOUND 404, SUMMA_E_UNAVAILABLE, SUMMA_E_TRY_LATER and
   * SUMMA_E_CANCELLED 503, others 500. The message of a 5xx is only logged. */
  int32_t (*handle)(void* self, const summa_request* request,
                    void (*respond)(void* result, const summa_response* response), void* result,
                    summa_error* error);
} summa_route;

typedef struct summa_endpoint_v1 {
  uint32_t struct_size;
  uint32_t route_count;
  const summa_route* const* routes;
} summa_endpoint_v1;

#ifdef __cplusplus
}
#endif
#endif
