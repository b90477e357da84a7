/* A plugin in C11, made from the headers alone: a worker that counts its runs under its lease, and a
 * consumer of a bus with the calls that every bus has. */
#include <summa/abi/bus.h>
#include <summa/abi/command.h>
#include <summa/abi/lease.h>
#include <summa/abi/plugin.h>
#include <summa/abi/registry.h>
#include <summa/abi/worker.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define TEXT(literal) ((summa_str){literal, sizeof literal - 1})
#define OID_INT8 20u
#define OID_TEXT 25u

static const summa_host* host;
static char stream[256];
static _Atomic long beats, messages;

/* Whether the caller's struct, which may be older, has room for this member. */
#define HAS(object, member) \
  ((object)->struct_size >= \
   (size_t)((const char*)(&(object)->member + 1) - (const char*)(object)))

static int32_t Fail(summa_error* error, int32_t status, const char* message) {
  if (HAS(error, status)) error->status = status;
  if (HAS(error, message)) snprintf(error->message, sizeof error->message, "%s", message);
  return status;
}

/* Binary: the bytes of a text as they are, which need not end with NUL. */
static summa_sql_parameter Text(summa_str text) {
  return (summa_sql_parameter){text.size == 0 ? "" : text.data, text.size, OID_TEXT, 1};
}

static summa_sql_parameter Integer(int64_t value, unsigned char bytes[8]) {
  for (int i = 0; i < 8; ++i) bytes[i] = (unsigned char)((uint64_t)value >> (56 - 8 * i));
  return (summa_sql_parameter){(const char*)bytes, 8, OID_INT8, 1};
}

/* One statement in a transaction of its own, which is committed only under the lease. */
static int32_t Execute(const summa_sql_v1* sql, summa_str statement,
                       const summa_sql_parameter* parameters, size_t count, summa_error* error) {
  summa_sql_session* session = NULL;
  int32_t status = sql->open(sql->self, TEXT("ledger"), &session, error);
  if (status != SUMMA_OK) return status;
  status = sql->begin(session, SUMMA_SQL_READ_WRITE, error);
  if (status == SUMMA_OK) {
    status = sql->exec(session, statement, parameters, count, 1, NULL, error);
  }
  if (status == SUMMA_OK) status = sql->commit(session, error);
  sql->close(session); /* rolls back what is open */
  return status;
}

/* The lease as this plugin knows the struct. In the build for an older host it is smaller than the
 * one of the host, which must not write behind it. */
#ifdef PLAIN_C_OLDER
enum { kViewSize = offsetof(summa_lease_view, trust_microseconds) };
#else
enum { kViewSize = sizeof(summa_lease_view) };
#endif

static int32_t CheckLease(const summa_tick* tick, summa_error* error) {
  const summa_lease_v1* lease = host->get_service(host, SUMMA_LEASE_V1);
  if (lease == NULL) return SUMMA_OK;
  summa_lease_view view;
  memset(&view, 0x5a, sizeof view);
  view.struct_size = kViewSize;
  const int32_t status = lease->look(lease->self, tick->worker_id, &view, error);
  if (status != SUMMA_OK) return status;
  const unsigned char* bytes = (const unsigned char*)&view;
  for (size_t i = kViewSize; i < sizeof view; ++i) {
    if (bytes[i] != 0x5a) return Fail(error, SUMMA_E_INTERNAL, "the host wrote behind a struct");
  }
  if (view.held == 0 || view.fence != tick->fence) {
    return Fail(error, SUMMA_E_INTERNAL, "the host holds another lease than that of the tick");
  }
  return SUMMA_OK;
}

static int32_t Beat(void* self, const summa_tick* tick, summa_tick_result* result,
                    summa_error* error) {
  (void)self;
  int32_t status = CheckLease(tick, error);
  if (status != SUMMA_OK) return status;
  unsigned char fence[8];
  const summa_sql_parameter parameters[] = {Text(tick->worker_id), Integer(tick->fence, fence)};
  status = Execute(tick->sql,
                   TEXT("INSERT INTO plain_c.beat AS b VALUES ($1, 1, $2) ON CONFLICT (worker) DO "
                        "UPDATE SET beats = b.beats + 1, fence = excluded.fence"),
                   parameters, 2, error);
  if (status != SUMMA_OK) return status;
  ++beats;
  result->items = 1;
  result->backlog = 0;
  result->wait_hint_microseconds = -1;
  return SUMMA_OK;
}

/* The effect of a message may be repeated: delivery is at least once. */
static int32_t Keep(const summa_tick* tick, const summa_bus_message* message, summa_error* error) {
  const summa_sql_parameter parameters[] = {Text(message->id), Text(message->key),
                                            Text(message->type)};
  return Execute(
      tick->sql,
      TEXT("INSERT INTO plain_c.message (id, key, type) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"),
      parameters, 3, error);
}

/* Everything of one poll; settled one by one, so that what was kept does not come again. */
static int32_t Handle(const summa_bus_v1* bus, summa_bus_subscription* subscription,
                      const summa_tick* tick, int64_t* handled, size_t* polled,
                      summa_error* error) {
  const uint32_t* revoked = NULL;
  size_t revoked_count = 0;
  /* Nothing is held from poll to poll, so it does not matter which. */
  int32_t status = bus->revoked(subscription, &revoked, &revoked_count, error);
  if (status != SUMMA_OK) return status;
  const summa_bus_delivery* deliveries = NULL;
  const int64_t wait = tick->flags & SUMMA_TICK_ONCE ? 0 : 100000;
  status = bus->poll(subscription, 100, wait, &deliveries, polled, error);
  for (size_t i = 0; status == SUMMA_OK && i < *polled; ++i) {
    status = Keep(tick, &deliveries[i].message, error);
    if (status != SUMMA_OK) break;
    status = bus->settle(subscription, deliveries[i].delivery_id, error);
    if (status == SUMMA_OK) ++*handled;
  }
  return status;
}

static int32_t Read(void* self, const summa_tick* tick, summa_tick_result* result,
                    summa_error* error) {
  (void)self;
  const summa_registry_v1* registry = host->get_service(host, SUMMA_REGISTRY_V1);
  const void* service = NULL;
  summa_str provider = {NULL, 0};
  int32_t status = registry->find(registry->self, TEXT(SUMMA_BUS_V1), TEXT("bus"), &service,
                                  &provider, error);
  if (status != SUMMA_OK) return status;
  const summa_bus_v1* bus = service;
  const uint32_t flags =
      bus->capabilities & SUMMA_BUS_EXCLUSIVE_READERS ? SUMMA_BUS_EXCLUSIVE : 0;
  const summa_bus_subscription_options options = {
      sizeof options, flags, {stream, strlen(stream)}, TEXT("plain-c"), TEXT("plain-c")};
  summa_bus_subscription* subscription = NULL;
  status = bus->subscribe(bus->self, &options, &subscription, error);
  if (status != SUMMA_OK) return status;
  int64_t handled = 0;
  size_t polled = 1;
  while (status == SUMMA_OK && polled > 0 && !tick->should_stop(tick)) {
    status = Handle(bus, subscription, tick, &handled, &polled, error);
  }
  bus->unsubscribe(subscription);
  messages += handled;
  result->items = handled;
  result->backlog = 0;
  result->wait_hint_microseconds = -1;
  return status;
}

static int32_t Configure(void* self, const summa_config* config, summa_error* error) {
  (void)self;
  summa_str value;
  if (config->get(config->self, TEXT("stream"), &value) == 0 || value.size >= sizeof stream) {
    return Fail(error, SUMMA_E_CONFIG, "stream has no value, or a very long one");
  }
  memcpy(stream, value.data, value.size);
  stream[value.size] = '\0';
  return SUMMA_OK;
}
static int32_t Nothing(void* self, summa_error* error) {
  (void)self, (void)error;
  return SUMMA_OK;
}
static void Destroy(void* self) { (void)self; }

/* Called from any thread. */
static void WriteStatus(void* self, void (*write)(void*, summa_str), void* result) {
  (void)self;
  char text[64];
  const int size = snprintf(text, sizeof text, "{\"beats\":%ld,\"messages\":%ld}", beats, messages);
  write(result, (summa_str){text, (size_t)size});
}
static const summa_status_v1 status_table = {sizeof status_table, 0, NULL, WriteStatus};

static const summa_worker beat = {sizeof beat, 0, NULL, {"plain-c-beat", 12}, Beat};
static const summa_worker reader = {sizeof reader, 0, NULL, {"plain-c-reader", 14}, Read};
static const summa_worker* const workers[] = {&beat, &reader};
static const summa_worker_v1 worker_table = {sizeof worker_table, 2, workers};

static const void* Extension(void* self, const char* id) {
  (void)self;
  if (strcmp(id, SUMMA_STATUS_V1) == 0) return &status_table;
  return strcmp(id, SUMMA_WORKER_V1) == 0 ? &worker_table : NULL;
}

static summa_plugin plugin = {sizeof plugin, 0,         NULL,    Configure,
                              Nothing,       Extension, Nothing, Destroy};

static int32_t Create(const summa_host* from, summa_plugin** out, summa_error* error) {
  (void)error;
  host = from;
  *out = &plugin;
  return SUMMA_OK;
}

/* The manifest, in its section of the shared object: see manifest.S. */
extern const char summa_manifest_begin[], summa_manifest_end[];

__attribute__((visibility("default"))) const summa_entry summa_plugin_v1 = {
    SUMMA_ENTRY_MAGIC,    sizeof(summa_entry), SUMMA_ABI_MAJOR, 0,      0,
    summa_manifest_begin, summa_manifest_end,  "C11",           &Create};
