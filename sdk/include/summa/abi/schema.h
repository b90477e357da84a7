/* summa.schema/1: a plugin's own tables.
 *
 * A manifest that lists this extension lists the steps of its schema, and summa_add_plugin() embeds
 * them. There is no table of functions: the host reads the steps without running any code of the
 * plugin.
 *
 *   schema:
 *     - schema/ledger/001_tables.sql    (beside the manifest; read/ is the database of read models)
 *     - schema/ledger/002_more.sql
 *
 * A step is applied once to each database, by `summa-host migrate` or at start
 * (`database.migrate: auto`), after the steps before it and after those of the plugins that this
 * one requires.
 *
 * It is one transaction together with its record. It must not begin or end one itself, so it cannot
 * contain anything that PostgreSQL refuses in a transaction (CREATE INDEX CONCURRENTLY, VACUUM).
 * Its search_path is the schema of the ledger. Settings that it changes apply only to the step.
 *
 * A released step must never change: its checksum is recorded, and a host refuses a different text
 * with the same number. Put changes into a new step.
 *
 * Hosts of the previous release may still run when it is applied: it may add, but must not remove
 * anything that they use.
 */
#ifndef SUMMA_ABI_SCHEMA_H
#define SUMMA_ABI_SCHEMA_H

#define SUMMA_SCHEMA_V1 "summa.schema/1"

/* The section of the shared object: for each step its path and its text, each ended by a zero byte,
 * in the order of the manifest. */
#define SUMMA_SCHEMA_SECTION ".summa.schema"

#endif
