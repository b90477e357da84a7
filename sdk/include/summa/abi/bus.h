/* summa.bus/1 (service): a message bus. Publish a batch with a receipt per message; consume by
 * pull.
 *
 * Order: messages of one stream reach the bus in the order of the batch. After the first failed
 * message of a stream every later message of that stream in the batch is UNSENT, so that a retry
 * keeps the order. At-least-once: a batch whose outcome is unknown (connection lost) is UNSENT and
 * may have arrived.
 */
#ifndef SUMMA_ABI_BUS_H
#define SUMMA_ABI_BUS_H
#include <summa/abi/plugin.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_BUS_V1 "summa.bus/1"
#define SUMMA_BUS_NO_POSITION INT64_MIN

typedef struct summa_bus_message {
  summa_str stream;    /* where it goes; the bus adds its prefix. [A-Za-z0-9._-], 1..200 bytes */
  summa_str id;        /* stable identity, the same on every retry */
  summa_str type;      /* the topic of the outbox row */
  summa_str key;       /* order is kept per (stream, key) */
  summa_str payload;   /* JSON text */
  summa_str timestamp; /* ISO-8601 with microseconds and Z */
  summa_str correlation_id; /* empty: unknown */
  int64_t position;         /* of the event in the ledger, or SUMMA_BUS_NO_POSITION */
} summa_bus_message;

enum summa_bus_outcome {
  SUMMA_BUS_CONFIRMED = 0, /* the bus has it, as safely as the bus keeps things */
  SUMMA_BUS_REFUSED =
      1, /* this message will never be taken as it is (too large, bad name): burn an attempt */
  SUMMA_BUS_STREAM_FAULT =
      2, /* the stream cannot take any message now (wrong type, full): pause the stream */
  SUMMA_BUS_UNSENT = 3 /* not sent, or outcome unknown: send again later, no attempt burned */
};

typedef struct summa_bus_receipt {
  int32_t outcome;
  char error[252]; /* NUL-terminated; empty when confirmed */
} summa_bus_receipt;

typedef struct summa_bus_subscription summa_bus_subscription;

typedef struct summa_bus_subscription_options {
  uint32_t struct_size;
  uint32_t reserved;
  summa_str stream;
  summa_str group;    /* one group per consumer: two groups each get every message */
  summa_str consumer; /* stable name of this reader within the group */
} summa_bus_subscription_options;

typedef struct summa_bus_delivery {
  summa_bus_message message; /* borrowed until the next poll() or unsubscribe() */
  summa_str delivery_id;  /* what ack() takes, e.g. the id of the Redis entry; borrowed likewise */
  int64_t delivery_count; /* 1 for the first time, counted by the server */
} summa_bus_delivery;

typedef struct summa_bus_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  uint64_t max_message_bytes; /* larger payloads are REFUSED */

  /* [any, one call at a time per bus] Blocks until every message has a receipt, bounded by the
   * bus's own timeout. SUMMA_OK: read the receipts. SUMMA_E_UNAVAILABLE: the bus is away; receipts
   * are filled all the same (CONFIRMED for what it answered before). */
  int32_t (*publish)(void* self, const summa_bus_message* messages, size_t count,
                     summa_bus_receipt* receipts, summa_error* error);

  /* [any] The group is created at the beginning of the stream, so nothing published before is
   * missed. */
  int32_t (*subscribe)(void* self, const summa_bus_subscription_options* options,
                       summa_bus_subscription** out, summa_error* error);
  /* [owner of the subscription] Up to max deliveries; waits up to the time for the first one. First
   * what this consumer was given before and did not ack, then new messages. */
  int32_t (*poll)(summa_bus_subscription* subscription, size_t max, int64_t wait_microseconds,
                  const summa_bus_delivery** deliveries, size_t* count, summa_error* error);
  int32_t (*ack)(summa_bus_subscription* subscription, const summa_str* delivery_ids, size_t count,
                 summa_error* error);
  void (*unsubscribe)(
      summa_bus_subscription* subscription); /* what was not acked is delivered again */

  int32_t (*ping)(void* self, summa_error* error); /* [any] */
  /* [any] The latest `count` messages of a stream, oldest first, without a group, for people and
   * tests. after: a delivery_id to go on from, or empty. on_message non-zero stops. */
  int32_t (*read)(void* self, summa_str stream, summa_str after, size_t count,
                  int32_t (*on_message)(void* user, const summa_bus_delivery* delivery), void* user,
                  summa_error* error);
} summa_bus_v1;

#ifdef __cplusplus
}
#endif
#endif
