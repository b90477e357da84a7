/* summa.bus/1 (service): a message bus. Publish a batch with a receipt per message; consume by
 * pull.
 *
 * Every bus has the core: publish, subscribe, poll, settle, seek, groups (with their lag), streams,
 * and looking at what a stream holds. Functions that only some buses have are capabilities: a bus
 * names those that it has in `capabilities`; the functions of the others exist and fail with
 * SUMMA_E_CONFIG. summa::Consumer and summa::BusClient work with and without.
 *
 * Order: messages of one stream reach the bus in the order of the batch. After the first failed
 * message of a stream every later message of that stream in the batch is UNSENT, so that a retry
 * keeps the order (or CONFIRMED, where the bus has it and its key cannot be that of the failed one). At-least-once: a batch whose outcome is unknown (connection lost) is UNSENT and
 * may have arrived.
 */
/* Structs without struct_size: summa_bus_message, _receipt, _delivery, _dead_letter, _stream,
 * _group, _trimmed and _left_out. Messages, receipts and deliveries are elements of arrays, whose
 * stride the two sides must agree on, and the others contain them or are made by the thousand. They
 * never change in summa.bus/1: what is added comes in a function of its own at the end of
 * summa_bus_v1, or with summa.bus/2. */
#ifndef SUMMA_ABI_BUS_H
#define SUMMA_ABI_BUS_H
#include <summa/abi/plugin.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_BUS_V1 "summa.bus/1"
#define SUMMA_BUS_NO_POSITION INT64_MIN
#define SUMMA_BUS_NO_TIME INT64_MIN
#define SUMMA_BUS_EVERYBODY "*" /* no group can have this name */

enum summa_bus_capability {
  /* ack(), renew(), nack(): each message is settled by itself, and belongs to the reader that has
   * it for claim_after. Without: settle() alone; a reader has its partitions until it ends or
   * revoked() names them. */
  SUMMA_BUS_CLAIMS = 1,
  /* The server counts how often a message was delivered, and its starts. Without:
   * delivery_count is 1 and a handler that ends the process is not known by its message. */
  SUMMA_BUS_COUNTS = 2,
  /* SUMMA_BUS_EXCLUSIVE. Without: a new reader has what earlier ones left when the bus says so. */
  SUMMA_BUS_EXCLUSIVE_READERS = 4,
  /* dead_letters(), redrive(), discard(), dead_letter(). Without: clients keep them in the stream
   * TOPIC.dlq, see summa/dead_letter_stream.hpp. */
  SUMMA_BUS_DEAD_LETTERS = 8,
  SUMMA_BUS_TRIM = 16 /* trim(): the bus removes nothing by itself */
};

typedef struct summa_bus_message {
  summa_str stream;    /* where it goes; the bus adds its prefix. [A-Za-z0-9._-], 1..200 bytes */
  summa_str id;        /* stable identity, the same on every retry */
  summa_str type;      /* the topic of the outbox row */
  summa_str key;       /* order is kept per (stream, key) */
  summa_str payload;   /* JSON text */
  summa_str timestamp; /* ISO-8601 with microseconds and Z */
  summa_str correlation_id; /* empty: unknown */
  int64_t position;         /* of the event in the ledger, or SUMMA_BUS_NO_POSITION */
  /* Redriven after it was a dead letter: the group for which it is meant (the others skip it), or
   * SUMMA_BUS_EVERYBODY. Empty: not redriven. */
  summa_str redriven;
  summa_str note; /* carried with the payload for the reader; empty: none */
} summa_bus_message;

enum summa_bus_outcome {
  SUMMA_BUS_CONFIRMED = 0, /* the bus has it, as safely as this bus stores messages */
  SUMMA_BUS_REFUSED =
      1, /* this message will never be accepted as it is (too large, bad name): count an attempt */
  SUMMA_BUS_STREAM_FAULT =
      2, /* the stream cannot accept any message now (wrong type, full): pause the stream */
  SUMMA_BUS_UNSENT = 3 /* not sent, or outcome unknown: send again later, no attempt counted */
};

typedef struct summa_bus_receipt {
  int32_t outcome;
  char error[252]; /* NUL-terminated; empty when confirmed */
} summa_bus_receipt;

typedef struct summa_bus_subscription summa_bus_subscription;

enum summa_bus_subscription_flag {
  /* The caller ensures by a lease that it is the only reader of the group: messages of earlier
   * readers are taken over immediately, oldest first, before anything new, so that the order is
   * kept. Without this flag, readers share the messages, and those of a dead reader are delayed by
   * claim_after. Needs SUMMA_BUS_EXCLUSIVE_READERS. */
  SUMMA_BUS_EXCLUSIVE = 1,
  /* A delivery that was begun before counts only when renew() says that it starts: a crash then
   * counts against the messages that were being handled, not against those that only waited. */
  SUMMA_BUS_COUNT_STARTS = 2 /* needs SUMMA_BUS_COUNTS */
};

/* What renew() reports about the starts of a delivery, which the server counts. */
enum summa_bus_start {
  SUMMA_BUS_START_ENDED = -1, /* the last start ended without a result for the message: it had to
                                 stop, or a service is unreachable. It does not count, also when
                                 another reader has the message by now. */
  SUMMA_BUS_START_NONE = 0,
  SUMMA_BUS_START_BEGINS = 1 /* another attempt begins: it counts, also when the process dies */
};

typedef struct summa_bus_subscription_options {
  uint32_t struct_size;
  uint32_t flags; /* SUMMA_BUS_EXCLUSIVE | ... */
  summa_str stream;
  summa_str group;    /* one group per consumer: two groups each get every message */
  summa_str consumer; /* stable name of this reader within the group */
} summa_bus_subscription_options;

typedef struct summa_bus_delivery {
  summa_bus_message message; /* borrowed until the next poll() or unsubscribe() */
  summa_str delivery_id;  /* what ack() takes, e.g. the id of the Redis entry; borrowed likewise */
  int64_t delivery_count; /* 1 for the first time, counted by the server */
  /* When the bus took it: its own clock, microseconds since 1970; SUMMA_BUS_NO_TIME: unknown. */
  int64_t entered_at_microseconds;
  uint32_t recovered; /* 1: it was delivered before, and that reader did not settle it */
  /* settle() settles within a partition. Messages of one key are in one partition, and a reader
   * gets those of a partition in the order in which they entered. 0 when there is only one. */
  uint32_t partition;
} summa_bus_delivery;

enum summa_bus_scan_flag {
  SUMMA_BUS_SCAN_INCLUSIVE = 1 /* begin with `after` itself, where it is not empty. It may be
                                  whatever else the bus takes for a place of a stream, such as a
                                  time in milliseconds. */
};

typedef struct summa_bus_scan_options {
  uint32_t struct_size;
  uint32_t flags; /* SUMMA_BUS_SCAN_INCLUSIVE */
  summa_str stream;
  summa_str after; /* a delivery_id: begin behind it; empty: see since */
  /* Begin with what entered at this time or later (messages of the same millisecond may be
   * included); SUMMA_BUS_NO_TIME: with the oldest. The later of `after` and this one counts. */
  int64_t since_microseconds;
  uint64_t limit; /* 0: until the end that the stream has when the scan gets there */
} summa_bus_scan_options;

/* How far back a stream reaches. Times as entered_at_microseconds. */
typedef struct summa_bus_horizon {
  uint32_t struct_size; /* set by the caller */
  uint32_t exists;      /* 0: the stream does not exist, and everything except `now` is empty */
  uint64_t held;        /* entries that can be read */
  uint64_t removed; /* entries trimmed or deleted since the stream was made, where the bus counts
                       them (Redis from 7 on); UINT64_MAX: unknown */
  int64_t oldest_microseconds; /* of the oldest entry held, SUMMA_BUS_NO_TIME: none. Trimming takes
                                  the oldest first, so what entered later is all there unless
                                  somebody deleted single entries. */
  int64_t newest_microseconds;
  int64_t now_microseconds; /* the clock of the bus at this moment */
} summa_bus_horizon;

/* A dead letter of a consumer. Borrowed during the callback. */
typedef struct summa_bus_dead_letter {
  summa_bus_message message; /* stream: where it came from */
  summa_str dead_letter_id;  /* what redrive() and discard() take */
  summa_str source_id;       /* its delivery_id in the stream */
  summa_str group;           /* the group whose consumer failed */
  summa_str error;
  int64_t deliveries; /* how often it was delivered */
  int64_t died_at_microseconds;
} summa_bus_dead_letter;

/* For people and metrics. Borrowed during the callback; unknown numbers are -1. */
typedef struct summa_bus_stream {
  summa_str name; /* without the prefix */
  int64_t messages, groups;
  int64_t dead_letters; /* that the bus keeps */
} summa_bus_stream;

typedef struct summa_bus_group {
  summa_str stream, name;
  int64_t readers;
  int64_t pending;          /* messages that were delivered to it and not settled */
  int64_t lag;              /* messages that were not delivered to it yet */
  int64_t idle_seconds;     /* since any of its readers last asked */
  summa_str position;       /* the last delivery_id that it got */
  summa_str lowest_pending; /* delivery_id; empty: none */
} summa_bus_group;

typedef struct summa_bus_trimmed {
  summa_str stream;
  int64_t removed;      /* or would be */
  summa_str below;      /* delivery_id: older messages may be removed, and no group needs them */
  summa_str held_by;    /* the group that still needs messages past retention; empty: none */
  int64_t held_seconds; /* how far past the retention its oldest message is */
} summa_bus_trimmed;

/* What a listing skipped while it continued with the rest. */
typedef struct summa_bus_left_out {
  summa_str name; /* as the server calls it */
  summa_str code, reason;
  uint32_t refused; /* 1: a stream that the login may not use; 0: not a stream of this bus */
  uint32_t reserved;
} summa_bus_left_out;

/* The callbacks of streams(), groups() and trim(): each calls the function of its name, and the
 * last two. None is NULL. A non-zero result stops. */
typedef struct summa_bus_visitor {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  int32_t (*stream)(void* self, const summa_bus_stream* stream);
  int32_t (*group)(void* self, const summa_bus_group* group);
  int32_t (*trimmed)(void* self, const summa_bus_trimmed* trimmed);
  int32_t (*left_out)(void* self, const summa_bus_left_out* left_out);
  int32_t (*progress)(void* self, int64_t looked_at); /* long calls: the number checked so far */
} summa_bus_visitor;

typedef struct summa_bus_v1 {
  uint32_t struct_size;
  uint32_t capabilities; /* SUMMA_BUS_CLAIMS | ...; constant from configure() on */
  void* self;
  uint64_t max_message_bytes; /* larger payloads are REFUSED */

  /* [any; calls at the same time wait for each other] Blocks until every message has a receipt,
   * bounded by the bus's own timeout. SUMMA_OK: read the receipts. SUMMA_E_UNAVAILABLE: the bus is
   * unreachable; receipts are filled nevertheless (CONFIRMED for messages that it confirmed
   * before). */
  int32_t (*publish)(void* self, const summa_bus_message* messages, size_t count,
                     summa_bus_receipt* receipts, summa_error* error);

  /* [any] The group is created at the beginning of the stream, so that it also gets everything
   * published before. */
  int32_t (*subscribe)(void* self, const summa_bus_subscription_options* options,
                       summa_bus_subscription** out, summa_error* error);
  /* [owner of the subscription] Up to max deliveries; waits up to the time for the first one. First
   * messages that this consumer got before and did not acknowledge, then new messages. What a call
   * would have delivered that fails, a later call delivers. */
  int32_t (*poll)(summa_bus_subscription* subscription, size_t max, int64_t wait_microseconds,
                  const summa_bus_delivery** deliveries, size_t* count, summa_error* error);
  /* Needs SUMMA_BUS_CLAIMS. */
  int32_t (*ack)(summa_bus_subscription* subscription, const summa_str* delivery_ids, size_t count,
                 summa_error* error);
  void (*unsubscribe)(
      summa_bus_subscription* subscription); /* unacknowledged messages are delivered again */

  int32_t (*ping)(void* self, summa_error* error); /* [any] */
  /* [any] The latest `count` messages of a stream, oldest first, without a group, for people and
   * tests. after: a delivery_id to go on from, or empty. on_message non-zero stops. */
  int32_t (*read)(void* self, summa_str stream, summa_str after, size_t count,
                  int32_t (*on_message)(void* user, const summa_bus_delivery* delivery), void* user,
                  summa_error* error);

  /* [any] What a stream holds, oldest first, without a group, in pages: memory is bounded however
   * much it holds. A stream that does not exist holds nothing. A delivery is borrowed during the
   * callback; its delivery_id, copied, is the `after` of a later scan. on_message non-zero stops.
   */
  int32_t (*scan)(void* self, const summa_bus_scan_options* options,
                  int32_t (*on_message)(void* user, const summa_bus_delivery* delivery), void* user,
                  summa_error* error);
  /* [any] Fills `horizon`, whose struct_size the caller set. */
  int32_t (*horizon)(void* self, summa_str stream, summa_bus_horizon* horizon, summa_error* error);

  /* These three need SUMMA_BUS_DEAD_LETTERS. [any] The dead letters of `stream` (empty: of every
   * stream), oldest first within a stream. after: continue after this dead_letter_id, or empty;
   * needs a stream. */
  int32_t (*dead_letters)(void* self, summa_str stream, summa_str after,
                          int32_t (*on_letter)(void* user, const summa_bus_dead_letter* letter),
                          void* user, summa_error* error);
  /* [any] Sends dead letters once more, each to the tail of its stream, marked `redriven` for its
   * group, and removes it from the dead letters: both or neither. An id that no longer exists is
   * skipped; *done counts the others, also when the call fails half-way. */
  int32_t (*redrive)(void* self, summa_str stream, const summa_str* dead_letter_ids, size_t count,
                     uint64_t* done, summa_error* error);
  /* [any] Deletes dead letters for good. *done as above. */
  int32_t (*discard)(void* self, summa_str stream, const summa_str* dead_letter_ids, size_t count,
                     uint64_t* done, summa_error* error);

  /* A delivery that was neither renewed nor settled for this long may be taken over by another
   * reader of the group. 0 without SUMMA_BUS_CLAIMS. */
  int64_t claim_after_microseconds;
  /* ack(), settle(), renew(), nack() and dead_letter(): [any thread, also while poll() waits].
   * renew() and nack() need SUMMA_BUS_CLAIMS, dead_letter() SUMMA_BUS_DEAD_LETTERS. */

  /* Keeps deliveries of this reader: the time of claim_after starts again. held[i] = 0: another
   * reader has it, or it is settled: discard it. start: one of summa_bus_start. */
  int32_t (*renew)(summa_bus_subscription* subscription, const summa_str* delivery_ids,
                   size_t count, int32_t start, uint8_t* held, summa_error* error);
  /* Returns deliveries: poll() delivers them again after the delay, counted once more. No other
   * message waits for them, so the order of their keys is lost. */
  int32_t (*nack)(summa_bus_subscription* subscription, const summa_str* delivery_ids, size_t count,
                  int64_t delay_microseconds, summa_error* error);
  /* Turns a delivery into a dead letter: it is written to the dead letters and acknowledged, both
   * or neither (without SUMMA_BUS_CLAIMS it must still be settled). One that this reader no longer
   * has is not changed. */
  int32_t (*dead_letter)(summa_bus_subscription* subscription, summa_str delivery_id,
                         summa_str reason, summa_error* error);

  /* This delivery, and everything that this reader got before it from the same partition, is
   * handled and not delivered to the group again. Messages that another reader has meanwhile may
   * stay with it. Without SUMMA_BUS_CLAIMS: a place before one that is settled changes nothing, and
   * neither does one of a partition that this reader lost, see revoked(). */
  int32_t (*settle)(summa_bus_subscription* subscription, summa_str delivery_id,
                    summa_error* error);

  /* [any] These report on the named stream, or on every stream when the name is empty.
   * SUMMA_E_NOT_FOUND: the stream does not exist. */
  int32_t (*streams)(void* self, summa_str stream, const summa_bus_visitor* visitor,
                     summa_error* error);
  int32_t (*groups)(void* self, summa_str stream, const summa_bus_visitor* visitor,
                    summa_error* error);
  /* Needs SUMMA_BUS_TRIM. Removes messages that are older than the configured retention of the bus
   * and were handled by every group. dry_run: only reports. */
  int32_t (*trim)(void* self, summa_str stream, int32_t dry_run, const summa_bus_visitor* visitor,
                  summa_error* error);

  /* [any] The group continues after this place: a delivery_id; "0": everything again; "$": only new
   * messages. With SUMMA_BUS_CLAIMS, pending messages stay pending; without it, the group must have
   * no reader. SUMMA_E_NOT_FOUND: the stream or group does not exist. */
  int32_t (*seek)(void* self, summa_str stream, summa_str group, summa_str place,
                  summa_error* error);
  /* [any] create_group: also creates the stream if it does not exist; place as above. */
  int32_t (*create_group)(void* self, summa_str stream, summa_str group, summa_str place,
                          summa_error* error);
  int32_t (*delete_group)(void* self, summa_str stream, summa_str group, summa_error* error);

  /* [owner of the subscription] The partitions that the bus took from this reader and that no
   * earlier call has named; borrowed until the next call of revoked() or unsubscribe(). Everything
   * that was delivered of them is no longer this reader's: it must not settle it. poll() delivers
   * nothing of such a partition, also when the reader has it again, before revoked() has named it.
   * Call it before each poll(). None on a bus with SUMMA_BUS_CLAIMS, where renew() says what
   * another reader has. */
  int32_t (*revoked)(summa_bus_subscription* subscription, const uint32_t** partitions,
                     size_t* count, summa_error* error);
} summa_bus_v1;

#ifdef __cplusplus
}
#endif
#endif
