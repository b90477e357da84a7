/* A plugin in C11, made from the headers alone: it says how often it was started. */
#include <summa/abi/command.h>
#include <summa/abi/plugin.h>

#include <stdio.h>
#include <string.h>

static const summa_host* host;
static int starts;

static int32_t Configure(void* self, const summa_config* config, summa_error* error) {
  (void)self, (void)config, (void)error;
  return host == NULL ? SUMMA_E_INTERNAL : SUMMA_OK;
}
static int32_t Start(void* self, summa_error* error) {
  (void)self, (void)error;
  ++starts;
  return SUMMA_OK;
}
static int32_t Stop(void* self, summa_error* error) {
  (void)self, (void)error;
  return SUMMA_OK;
}
static void Destroy(void* self) { (void)self; }

static void WriteStatus(void* self, void (*write)(void*, summa_str), void* result) {
  (void)self;
  char text[32];
  const int size = snprintf(text, sizeof text, "{\"starts\":%d}", starts);
  write(result, (summa_str){text, (size_t)size});
}
static const summa_status_v1 status = {sizeof status, 0, NULL, WriteStatus};

static const void* Extension(void* self, const char* id) {
  (void)self;
  return strcmp(id, SUMMA_STATUS_V1) == 0 ? &status : NULL;
}

static summa_plugin plugin = {sizeof plugin, 0,         NULL, Configure,
                              Start,         Extension, Stop, Destroy};

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
