/* summa.projection/1 (service): read models. A plugin that provides it names projections; the plugin
 * `projections` creates their tables, reads the event store, calls them, and keeps their progress.
 *
 * A projection changes its tables with the session that it is given, in the transaction in which its
 * progress is recorded: every event counts exactly once, whatever dies. It must not begin or end a
 * transaction, and must not write anywhere else, unless a repetition does no harm there.
 *
 * The tables may be in another database than the ledger, so a projection sees of the ledger only
 * what the batch contains.
 */
#ifndef SUMMA_ABI_PROJECTION_H
#define SUMMA_ABI_PROJECTION_H
#include <summa/abi/sql.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_PROJECTION_V1 "summa.projection/1"

typedef struct summa_uuid {
  uint8_t bytes[16];
} summa_uuid;

#define SUMMA_PROJECTION_NO_TIME INT64_MIN
#define SUMMA_PROJECTION_NO_VALUE INT64_MIN

/* An account as the ledger describes it when the batch is read. Its amounts are not here: they are
 * what events change. */
typedef struct summa_projection_account {
  uint32_t struct_size;
  uint32_t reserved;
  summa_uuid id;
  summa_str holder_id, holder_type, currency;
  summa_str status; /* active, frozen, closed */
} summa_projection_account;

enum summa_projection_transaction_flag {
  SUMMA_TRANSACTION_HOLD = 1,
  SUMMA_TRANSACTION_REVERSAL = 2,
  SUMMA_TRANSACTION_HAS_SOURCE = 4, /* source_account_id is one */
  SUMMA_TRANSACTION_HAS_DESTINATION = 8,
  SUMMA_TRANSACTION_HAS_SYSTEM_SOURCE = 16,
  SUMMA_TRANSACTION_HAS_SYSTEM_DESTINATION = 32,
  SUMMA_TRANSACTION_HAS_PARENT = 64
};

/* A transaction or a hold as the ledger records it when the batch is read. A later state is in the
 * batch with the event that has led to it. */
typedef struct summa_projection_transaction {
  uint32_t struct_size;
  uint32_t flags; /* SUMMA_TRANSACTION_HOLD | ... */
  summa_uuid id;
  summa_uuid source_account_id, destination_account_id;
  summa_uuid source_system_account_id, destination_system_account_id;
  summa_uuid parent_id; /* of a reversal: what it reverses */
  summa_str reference, status, currency, category;
  /* credit, debit, transfer, multi-transfer, hold, refund */
  summa_str type;
  int64_t amount, refunded_amount;
  int64_t posted_at;  /* microseconds since 2000-01-01 UTC, or SUMMA_PROJECTION_NO_TIME */
  int64_t position;   /* of the last event of the batch that concerns it */
  int64_t changed_at; /* when that event was created */
} summa_projection_transaction;

enum summa_projection_event_flag {
  SUMMA_EVENT_HAS_ACCOUNT = 1,     /* account_id is one */
  SUMMA_EVENT_HAS_TRANSACTION = 2, /* transaction_id is one */
  /* The first posting of this transaction to this account: for counting transactions. */
  SUMMA_EVENT_FIRST_OF_TRANSACTION = 4
};

/* One event in the vocabulary of all layouts: CREDIT_POSTED, DEBIT_POSTED, HOLD_PLACED,
 * HOLD_RELEASED, HOLD_CAPTURED, ACCOUNT_OPENED, ACCOUNT_FROZEN, ACCOUNT_UNFROZEN, ACCOUNT_CLOSED.
 * One stored event may give several. A stored event outside the vocabulary arrives under its own
 * type, with its data. */
typedef struct summa_projection_event {
  uint32_t struct_size;
  uint32_t flags;   /* SUMMA_EVENT_HAS_ACCOUNT | ... */
  int64_t position; /* of the stored event: unique in the ledger, not without gaps */
  uint32_t ordinal; /* among the events that come from the same stored event */
  uint32_t reserved;
  summa_str type;
  summa_str stored_type; /* event_type in ledger_event */
  summa_uuid event_id;   /* of the stored event */
  summa_uuid aggregate_id;
  /* Of a posting: the entry in entry_record; else event_id. */
  summa_uuid id;
  summa_uuid account_id, transaction_id;
  int64_t amount;          /* not negative; 0 where the type has none */
  int64_t original_amount; /* of a capture: what was held */
  /* Of a posting; SUMMA_PROJECTION_NO_VALUE: unknown. */
  int64_t balance_before, balance_after;
  summa_str reference, category, correlation_id;
  summa_str data;                                  /* event_data: JSON text */
  int64_t created_at;                              /* microseconds since 2000-01-01 UTC */
  const summa_projection_account* account;         /* NULL: the ledger has none */
  const summa_projection_transaction* transaction; /* NULL: the ledger has none */
} summa_projection_event;

enum summa_projection_batch_flag {
  /* Another build of the projection has applied these events, or does so: it announces what they
   * mean to others. Do not announce anything again. */
  SUMMA_BATCH_REPLAY = 1,
  /* Part of a rebuild: other parts of the history are applied at the same time, so events of an
   * account do not come in their order. Only for projections with SUMMA_PROJECTION_COMMUTATIVE. */
  SUMMA_BATCH_UNORDERED = 2
};

/* Valid until apply() returns. */
typedef struct summa_projection_batch {
  uint32_t struct_size;
  uint32_t flags; /* SUMMA_BATCH_REPLAY | ... */
  void* self;
  const summa_projection_event* events; /* in the order in which they are to be applied */
  size_t event_count;
  /* Every transaction that the events concern, each once, and what those reverse. */
  const summa_projection_transaction* transactions;
  size_t transaction_count;
  const summa_sql_v1* sql;
  summa_sql_session* session; /* in a transaction; do not commit, do not close */
  /* The table to write to, qualified and quoted: another one for each build of the projection.
   * table: its name in summa_projection_table. Empty: there is none. */
  summa_str (*table)(const struct summa_projection_batch* batch, summa_str table);
} summa_projection_batch;

/* One table of a read model, in the schema summa_read. Readers see a view of this name; behind it is
 * one table for each build, so that a rebuild happens beside the one that is read. */
typedef struct summa_projection_table {
  uint32_t struct_size;
  uint32_t index_count;
  summa_str name;    /* account_balance_view: [a-z_][a-z0-9_]*, at most 50 bytes */
  summa_str columns; /* as in CREATE TABLE: "id uuid PRIMARY KEY, balance bigint NOT NULL" */
  /* As in CREATE INDEX ON table: "(holder_id, holder_type)". Created after the rows are loaded. */
  const summa_str* indexes;
} summa_projection_table;

enum summa_projection_flag {
  /* Events may be applied in any order between accounts and within them, with the same result. */
  SUMMA_PROJECTION_COMMUTATIVE = 1,
  /* A row has all accounts of a holder in one currency. forget() is called with one of them, and
   * apply() then gets the events of all. */
  SUMMA_PROJECTION_ROWS_OF_HOLDERS = 2,
  /* apply() looks at no transaction, reference or category: they may be missing. While that is so of
   * all projections that run, the ledger is asked for less. */
  SUMMA_PROJECTION_WITHOUT_TRANSACTIONS = 4
};

/* What stops when an event cannot be applied, with the policy pause_key. */
enum summa_projection_key {
  SUMMA_KEY_ACCOUNT = 0, /* the account, or the aggregate of an event without one */
  SUMMA_KEY_TRANSACTION = 1
};

/* Texts and arrays are valid as long as the plugin exists. */
typedef struct summa_projection {
  uint32_t struct_size;
  uint32_t flags; /* SUMMA_PROJECTION_COMMUTATIVE | ... */
  void* self;
  summa_str id; /* holder-turnover: [a-z][a-z0-9-]*, at most 50 bytes, unique in the host */
  summa_str summary;
  /* A build of a lower version is replaced: the new version is built beside it, then it takes its
   * place. Raise it when columns or their meaning change. */
  int32_t version;
  int32_t key;                  /* summa_projection_key */
  const summa_str* event_types; /* those that it wants; none: all */
  size_t event_type_count;
  const summa_projection_table* tables;
  size_t table_count;
  /* [owner] Changes the tables; also called in several threads at a time with SUMMA_BATCH_UNORDERED.
   * Deterministic: the same events give the same rows. */
  int32_t (*apply)(void* self, const summa_projection_batch* batch, summa_error* error);
  /* [owner] Optional. Removes what the events of this key have made; then apply() gets all of them
   * again, in their order. The batch has no events. account: what the ledger says of the key, when
   * it is an account that it has; else NULL. A forget() of NULL: rows belong to several keys, so the
   * projection is rebuilt as a whole. */
  int32_t (*forget)(void* self, const summa_projection_batch* batch, const summa_uuid* key,
                    const summa_projection_account* account, summa_error* error);
} summa_projection;

typedef struct summa_projection_v1 {
  uint32_t struct_size;
  uint32_t projection_count;
  const summa_projection* const* projections;
} summa_projection_v1;

#ifdef __cplusplus
}
#endif
#endif
