/* summa-host plugin ABI, major 1: the descriptor, the lifecycle and the types that every interface
 * shares.
 *
 * DRAFT until summa-host 1.0: names and layouts may still change between minor versions.
 *
 * How the boundary works
 *   - Plain C11. No exception, no C++ type and no allocation crosses it. C++ authors include
 *     <summa/plugin.hpp>.
 *   - A plugin exports exactly one symbol, the data object `summa_plugin_v1`. Everything else is
 *     found by string-named, revisioned interfaces ("summa.sql/1") in structs of function pointers.
 *   - A struct begins with `struct_size`, set by whoever fills it. A reader uses the smaller of its
 *     own and the given size: fields past that are absent. Structs only ever grow at the end. Who
 *     fills a struct of the caller (summa_error, summa_tick_result) writes nothing behind its size.
 *     Not so the elements of arrays and small values (summa_str, summa_sql_parameter,
 *     summa_log_field, summa_label, summa_uuid, and those that abi/bus.h names): they
 *     never change within the revision of their interface.
 *   - Functions that can fail return SUMMA_OK or a SUMMA_E_* status and fill the caller's
 *     summa_error.
 *   - Memory belongs to the side that allocated it. Borrowed memory says for how long it may be
 *     used.
 *   - Thread tags: [main] one thread per plugin, always the same; [any] any thread, also at once;
 *     [owner] one thread at a time, the one that was handed the object.
 */
#ifndef SUMMA_ABI_PLUGIN_H
#define SUMMA_ABI_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_ABI_MAJOR 1
#define SUMMA_ABI_MINOR 0
#define SUMMA_ENTRY_MAGIC 0x31414D53u /* "SMA1" in memory on little-endian machines */

/* UTF-8 bytes, not terminated. Borrowed for the call unless the function says otherwise. data may
 * be NULL only when size is 0. */
typedef struct summa_str {
  const char* data;
  size_t size;
} summa_str;

/* The kind of failure; it decides the exit code of a command and the reaction of the host. Values
 * are part of the ABI. */
enum summa_status {
  SUMMA_OK = 0,
  SUMMA_E_FINDING = 1,      /* a check found something                         -> exit 1 */
  SUMMA_E_USAGE = 64,       /* bad arguments                                   -> exit 64 */
  SUMMA_E_DATA = 65,        /* broken input                                    -> exit 65 */
  SUMMA_E_NOT_FOUND = 66,   /* the named thing does not exist                  -> exit 66 */
  SUMMA_E_UNAVAILABLE = 69, /* database or bus down; worth trying again        -> exit 69 */
  SUMMA_E_INTERNAL = 70,    /* a defect                                        -> exit 70 */
  SUMMA_E_TRY_LATER = 75,   /* lease held elsewhere, or told to stop           -> exit 75 */
  SUMMA_E_DENIED = 77,      /* privilege missing                               -> exit 77 */
  SUMMA_E_CONFIG = 78,      /* configuration, or database not migrated         -> exit 78 */
  /* The lease is gone; stop. No transaction was committed; of exec_autocommit() see summa/abi/sql.h
     (SH-0433). -> exit 75 */
  SUMMA_E_FENCED = 79,
  SUMMA_E_CANCELLED = 80 /* should_stop() was true and the call gave up     -> exit 75 */
};

/* Filled by the callee in memory of the caller. All texts end with NUL and are cut at the limit. */
typedef struct summa_error {
  uint32_t struct_size;
  int32_t status;    /* the status that was returned */
  char code[16];     /* stable code, "SH-0501"; empty: the host chooses one for the status */
  char sqlstate[8];  /* five characters for an error of a database, else empty */
  char message[512]; /* what happened, where, what was expected */
  char hint[256];    /* what to do; may be empty */
} summa_error;

/* The plugin's own part of the configuration, checked against its manifest and with defaults filled
 * in. Paths are dotted ("retry.max"). Values arrive normalised: durations as integer microseconds,
 * sizes as integer bytes, booleans as true/false, numbers in decimal. Valid during configure()
 * and reload() only. */
typedef struct summa_config {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  int32_t (*get)(void* self, summa_str path, summa_str* value); /* 1 set, 0 absent or null */
  size_t (*keys)(void* self, summa_str path,
                 const summa_str** names); /* members of a map, or [0..n) of a list */
} summa_config;

/* Given to the plugin; valid until destroy() has returned. */
typedef struct summa_host {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  void* self;
  summa_str version;  /* of the host program */
  summa_str instance; /* unique per process start: also the holder of its leases */
  /* [any] A host service by its id (summa.log/1, summa.clock/1, summa.metrics/1, summa.sql/1,
   * summa.lease/1, summa.operation/1, summa.registry/1), or NULL when this host does not have it.
   * Valid until destroy() has returned. */
  const void* (*get_service)(const struct summa_host* host, const char* service_id);
} summa_host;

/* One plugin instance. Called in this order: configure, start, (workers run), stop, destroy. A
 * running host calls stop and start again when start returned SUMMA_E_UNAVAILABLE or
 * SUMMA_E_TRY_LATER: as long as its own database is unreachable, otherwise for start_timeout. */
typedef struct summa_plugin {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  int32_t (*configure)(void* self, const summa_config* config,
                       summa_error* error);         /* [main] no input/output here */
  int32_t (*start)(void* self, summa_error* error); /* [main] plugins it requires have started */
  /* [any] An extension (summa.worker/1, summa.activity/1, summa.reload/1, summa.command/1,
   * summa.endpoint/1, summa.status/1, summa.health/1) or a provided service (summa.bus/1), or NULL.
   * Called after configure(); valid until destroy(). */
  const void* (*get_extension)(void* self, const char* extension_id);
  int32_t (*stop)(
      void* self,
      summa_error* error);     /* [main] no worker is running; also called when start() failed */
  void (*destroy)(void* self); /* [main] last call; the code is never unmapped */
} summa_plugin;

/* The exported object. It is read before any code of the plugin is called. */
typedef struct summa_entry {
  uint32_t magic;       /* SUMMA_ENTRY_MAGIC */
  uint32_t struct_size; /* sizeof(summa_entry) */
  uint16_t abi_major;   /* 1 */
  uint16_t abi_minor;   /* the LOWEST host minor this plugin needs, not the one it was built with */
  uint32_t reserved;
  const char* manifest_begin; /* the bytes of the ELF section .summa.manifest */
  const char* manifest_end;
  const char* build; /* compiler and SDK version, NUL-terminated: for people, never checked */
  /* [main] Creates the instance. Must not call host services. On failure *out stays NULL. */
  int32_t (*create)(const summa_host* host, summa_plugin** out, summa_error* error);
} summa_entry;

#ifdef __cplusplus
}
#endif
#endif
