/* summa.sql/1: connections and transactions, owned by the host. Values are passed as bytes, in the
 * form that libpq uses.
 *
 * The host owns them so that every commit is fenced, bounded and measured: a session opened through
 * the table in a summa_tick commits only while the worker's lease is still held by this process,
 * checked as the last statement before COMMIT. A plugin cannot omit the check: no statement of the
 * session itself bypasses it. The end of this file lists what does, and what is different where
 * "read" is a database of its own.
 *
 * Outside begin()..commit() a session is read only: a writing statement there fails with SQLSTATE
 * 25006. exec_autocommit() is for the few statements that cannot run in a transaction. A session is
 * one connection and belongs to one thread at a time [owner]; open() is [any]. Limits:
 * `database.<name>.pool` sessions per host (open() waits up to 5 s, then returns
 * SUMMA_E_UNAVAILABLE), 65,535 parameters per statement, statement and lock timeouts of the host's
 * configuration.
 *
 * Formats: 0 text, 1 binary (PostgreSQL's send/receive form, big-endian). Times and intervals in
 * binary are microseconds since 2000-01-01.
 */
#ifndef SUMMA_ABI_SQL_H
#define SUMMA_ABI_SQL_H
#include <summa/abi/plugin.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SUMMA_SQL_V1 "summa.sql/1"

typedef struct summa_sql_session summa_sql_session;
typedef struct summa_sql_result summa_sql_result;

typedef struct summa_sql_parameter {
  const char* data; /* NULL: SQL NULL. Text must end with NUL at data[size]. */
  size_t size;
  uint32_t type;  /* type OID, 0: let the server infer */
  int32_t format; /* 0 text, 1 binary */
} summa_sql_parameter;

enum summa_sql_begin_flags {
  SUMMA_SQL_READ_WRITE = 0, /* READ COMMITTED; commit() is fenced when the session has a lease */
  SUMMA_SQL_READ_ONLY = 1,  /* not fenced (and no need to be) */
  SUMMA_SQL_REPEATABLE_READ = 2 /* one snapshot for all statements */
};

typedef struct summa_sql_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;

  /* database: "ledger" or "read". The session has default settings and no open cursor. */
  int32_t (*open)(void* self, summa_str database, summa_sql_session** out, summa_error* error);
  /* Releases the connection; rolls back an open transaction. NULL is allowed. */
  void (*close)(summa_sql_session* session);

  int32_t (*begin)(summa_sql_session* session, uint32_t flags, summa_error* error);
  /* One statement; the end of this file lists what is refused, and the status of each failure.
   * Prepared by the host after its first use on a connection. result_format: of every column, 0 text
   * or 1 binary; the rows of the result are read by who knows which. The result is freed with
   * free_result() of the same table, also after the session was closed; out may be NULL. */
  int32_t (*exec)(summa_sql_session* session, summa_str sql, const summa_sql_parameter* parameters,
                  size_t parameter_count, int32_t result_format, summa_sql_result** out,
                  summa_error* error);
  /* One statement without a transaction, for statements that PostgreSQL runs only in this way:
   * VACUUM, CREATE, DROP and REINDEX INDEX .. CONCURRENTLY, ALTER TABLE .. DETACH PARTITION ..
   * CONCURRENTLY; others are refused (SH-0408). No parameters, no result. statement_timeout does
   * not apply, and lock_timeout only to VACUUM: a limit would leave an invalid index, or a
   * partition that is only partly detached. The statement commits by itself, in steps, and cannot
   * be fenced: the host checks the lease before it is sent and after it has ended.
   *   SUMMA_E_FENCED, SH-0301: the lease was lost before; nothing was run.
   *   SUMMA_E_FENCED, SH-0433: the lease was lost afterwards; the statement HAS taken effect, and
   *     another host may have begun the same work meanwhile.
   *   SUMMA_E_CANCELLED, SH-0409: told to stop, or the lease was lost, while it ran. What it had
   *     done by then stays: an invalid index, a partition that is being detached.
   *   SUMMA_E_UNAVAILABLE, SH-0402: the connection broke; the statement may have taken effect, or
   *     may still be running.
   * So run only statements that are harmless when two hosts run them, check the catalog first
   * (pg_index.indisvalid, pg_inherits.inhdetachpending), and never conclude from an error that
   * nothing happened. */
  int32_t (*exec_autocommit)(summa_sql_session* session, summa_str sql, summa_error* error);
  /* COPY (...) TO STDOUT: on_row gets one row at a time, borrowed for the call; non-zero stops the
   * copy and ends it with SUMMA_E_CANCELLED. Not inside a read-write transaction of a leased
   * session: a stalled stream there could outlive the lease. */
  int32_t (*copy_out)(summa_sql_session* session, summa_str sql,
                      int32_t (*on_row)(void* user, const char* data, size_t size), void* user,
                      summa_error* error);
  /* COPY ... FROM STDIN: next gives a chunk and returns 1, 0 at the end, negative to abort. */
  int32_t (*copy_in)(summa_sql_session* session, summa_str sql,
                     int32_t (*next)(void* user, const char** data, size_t* size), void* user,
                     summa_error* error);
  /* SUMMA_E_FENCED: the lease was lost, nothing was committed. Never in a database of its own for
   * "read": see the end of this file. SUMMA_E_UNAVAILABLE with code SH-0404: the connection broke
   * during COMMIT and the outcome is unknown. */
  int32_t (*commit)(summa_sql_session* session, summa_error* error);
  int32_t (*rollback)(summa_sql_session* session, summa_error* error);

  /* Results: rows and columns count from 0. cell() returns 1 and the bytes (borrowed until
   * free_result), or 0 for SQL NULL. */
  size_t (*row_count)(const summa_sql_result* result);
  size_t (*column_count)(const summa_sql_result* result);
  int64_t (*affected_rows)(const summa_sql_result* result);
  int32_t (*cell)(const summa_sql_result* result, size_t row, size_t column, summa_str* value);
  /* Name (borrowed until free_result) and type OID of a column; empty and 0 when there is none. */
  summa_str (*column_name)(const summa_sql_result* result, size_t column);
  uint32_t (*column_type)(const summa_sql_result* result, size_t column);
  void (*free_result)(summa_sql_result* result); /* NULL is allowed */
  /* 0 text, 1 binary; as exec() was asked. */
  int32_t (*result_format)(const summa_sql_result* result);
} summa_sql_v1;

#ifdef __cplusplus
}
#endif

/* What a failure of a session is. status: of the function and of summa_error. The SQLSTATE stands in
 * summa_error.sqlstate; decide by it, or by status and code, never by the text.
 *
 *   failure                                                          status       code
 *   no server answers, or it refuses the login                       UNAVAILABLE  SH-0401
 *   the connection breaks (nothing of the transaction is committed)  UNAVAILABLE  SH-0402
 *   no session is free within 5 s                                    UNAVAILABLE  SH-0403
 *   the outcome of a COMMIT is unknown                               UNAVAILABLE  SH-0404
 *   08xxx, 53xxx, 57Pxx, 58xxx: the server lacks something           UNAVAILABLE  SH-0416
 *   a standby, an old primary, a standby that does not confirm       UNAVAILABLE  SH-0423 to SH-0425
 *   57014 timeout, 55P03 lock, 25P03, 25P04 idle or too long         TRY_LATER    SH-0410
 *   40xxx: deadlock, serialization                                   TRY_LATER    SH-0411
 *   57014: told to stop, or the lease is no longer trusted           CANCELLED    SH-0409
 *   the lease is lost at commit() or before exec_autocommit()        FENCED       SH-0301
 *   the lease was lost during exec_autocommit()                      FENCED       SH-0433
 *   42501: a privilege is missing                                    DENIED       SH-0406
 *   42501: row level security hides rows                             DENIED       SH-0430
 *   every other SQLSTATE: 22xxx values, 23xxx constraints (23505:    INTERNAL     SH-0405
 *   a unique key), 25006 a write outside of a transaction, 42xxx
 *   syntax, tables and columns that are not there
 *   the session was made writable, see below                         INTERNAL     SH-0426
 *   the function was used wrongly; nothing was sent: no session,     INTERNAL     SH-0407
 *   an unknown database, begin() twice, commit() without begin(),
 *   a NUL in a text, more than 65,535 parameters, a format that is
 *   neither 0 nor 1
 *   the statement is refused, see below; nothing was sent            INTERNAL     SH-0408
 *   the session has ended with its tick, verb or request             INTERNAL     SH-0419
 *   (C++) a value is not of the type as which it is read             DATA         SH-0434
 *
 * After a failure inside a transaction, roll back; after SH-0402, close the session.
 *
 * exec() refuses with SH-0408:
 *   BEGIN, START, COMMIT, END, ROLLBACK, ABORT, SET TRANSACTION, SET LOCAL of a transaction's mode:
 *     begin(), commit() and rollback() are for that. SAVEPOINT, RELEASE and ROLLBACK TO are allowed.
 *   SET without LOCAL, RESET, DISCARD, PREPARE, EXECUTE, DEALLOCATE, LISTEN, UNLISTEN, LOAD: what
 *     stays in the connection for the next user.
 *   COPY: copy_out() and copy_in() are for that.
 *   DO and CALL outside of a transaction: they could commit by themselves.
 * More than one statement in a call is refused by the server (42601, SH-0405). exec_autocommit()
 * takes only what it lists above. copy_out() is refused in a read-write transaction of a leased
 * session. */

/* The fence, and what it does not cover.
 *
 * Sessions of "read", where `database.read` is a database of its own: the rows of leases are in the
 * ledger's database, and no statement elsewhere can look at them in the same transaction. So
 * commit() and exec_autocommit() do not check the lease there. Whoever writes there keeps a fence of
 * his own, in the database that he writes to: a row of progress that has summa_tick.fence and what
 * was reached. Every transaction changes that row first, on condition that it is what this process
 * has last written and has no greater fence, and rolls back when no row was changed. A host that
 * takes over raises the fence of all rows before it reads them. The row is locked until COMMIT, so a
 * host that has lost its lease commits either before that, and its progress is then read, or never.
 * summa_read.projection_checkpoint is such a row; see abi/projection.h. Where "read" is the ledger's
 * database, its sessions are fenced like all others.
 *
 * When a statement, or a function that it calls, makes the session writable outside begin()..
 * commit() (default_transaction_read_only) or makes a read-only transaction writable
 * (transaction_read_only), that is SH-0426; nothing is committed, and the session is lost.
 * PostgreSQL reports such a change since version 14; do not rely on it with version 13.
 *
 * Not covered: what a statement does outside its own transaction. dblink and postgres_fdw (where it
 * commits elsewhere), COPY .. TO PROGRAM and to a file, functions in untrusted languages, pg_notify
 * outside a transaction, and connections that a plugin opens itself take effect with or without the
 * lease. Do not write through them, and do not grant the role the right to use them. */
#endif
