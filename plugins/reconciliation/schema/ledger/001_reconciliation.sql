-- Points up to which the chain of an aggregate was verified, and the hash it had there. The first columns are
-- those of the plan; counts are bigint, because a busy aggregate outgrows an integer within hours.
CREATE TABLE summa_host.hash_snapshot (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  aggregate_type text NOT NULL,
  aggregate_id uuid NOT NULL,
  snapshot_version bigint NOT NULL CHECK (snapshot_version > 0),
  snapshot_hash text NOT NULL,
  event_count bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  position bigint NOT NULL,                     -- of the event that carries the hash
  verified_from bigint NOT NULL DEFAULT 0,      -- version of the snapshot it was verified from; 0: the first event
  UNIQUE (aggregate_type, aggregate_id, snapshot_version)
);

-- What is certified stays as it was: a snapshot is replaced by a later one, never changed.
CREATE FUNCTION summa_host.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
  RAISE EXCEPTION '%.% is append-only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END
$function$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON summa_host.hash_snapshot
  FOR EACH STATEMENT EXECUTE FUNCTION summa_host.refuse_change();

-- How far the events were searched for aggregates that have grown enough for a snapshot, and what was enough.
CREATE TABLE summa_host.snapshot_search (
  id integer PRIMARY KEY CHECK (id = 1),
  position bigint NOT NULL,
  after_events bigint NOT NULL
);

-- What Summa's block_checkpoint does not say of a block that we sealed: exactly which positions it covers, so that
-- a row that appears among them later is told from one that was changed; and a hash over all columns of its
-- events, of which Summa's own hashes cover only event_data.
CREATE TABLE summa_host.block_seal (
  block_id uuid PRIMARY KEY,
  block_sequence bigint NOT NULL UNIQUE,
  block_hash text NOT NULL,
  positions int8multirange NOT NULL,
  content_hash text NOT NULL,
  sealed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON summa_host.block_seal
  FOR EACH STATEMENT EXECUTE FUNCTION summa_host.refuse_change();

-- Events that became visible below the last block and are in none: sealed here, each by itself.
CREATE TABLE summa_host.late_event (
  position bigint PRIMARY KEY,
  event_id uuid NOT NULL,
  event_hash text NOT NULL,
  content_hash text NOT NULL,
  block_sequence bigint,                        -- the block in whose range it lies
  found_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON summa_host.late_event
  FOR EACH STATEMENT EXECUTE FUNCTION summa_host.refuse_change();

-- Runs of daily-reconciliation, each part as soon as it is done, so that a run that died goes on with the next.
CREATE TABLE summa_host.reconciliation_run (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  result_id uuid,                               -- of reconciliation_result
  -- The accounts with an id up to this are done; books_done: all of them, and what is looked at beside them.
  accounts_through uuid,
  books_done boolean NOT NULL DEFAULT false,
  chains_done boolean NOT NULL DEFAULT false,
  -- Why a part could not be done; what the others found stands all the same.
  books_error text,
  chains_error text,
  -- Every entry created before this was visible to the run.
  entries_until timestamptz,
  entries bigint NOT NULL DEFAULT 0,
  accounts_checked bigint NOT NULL DEFAULT 0,
  system_accounts_checked bigint NOT NULL DEFAULT 0,
  imbalanced_transactions bigint NOT NULL DEFAULT 0,
  duplicate_entries bigint NOT NULL DEFAULT 0,
  order_violations bigint NOT NULL DEFAULT 0,
  account_mismatches bigint NOT NULL DEFAULT 0,
  system_account_mismatches bigint NOT NULL DEFAULT 0,
  events bigint NOT NULL DEFAULT 0,
  blocks_verified bigint NOT NULL DEFAULT 0,
  blocks_valid bigint NOT NULL DEFAULT 0,
  block_mismatches bigint NOT NULL DEFAULT 0,
  event_mismatches bigint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX ON summa_host.reconciliation_run ((finished_at IS NULL)) WHERE finished_at IS NULL;

-- The first of what a run found; all are counted in its row.
CREATE TABLE summa_host.finding (
  run_id bigint NOT NULL REFERENCES summa_host.reconciliation_run ON DELETE CASCADE,
  number bigint GENERATED ALWAYS AS IDENTITY,
  part text NOT NULL,                           -- the check that found it
  kind text NOT NULL,
  step text NOT NULL,                           -- Summa's name of it; empty: Summa has none
  detail jsonb NOT NULL,                        -- in Summa's shape
  finding jsonb NOT NULL,                       -- everything that is known of it
  found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, number)
);

-- The rolling full re-verification: its parts (the aggregates by slices of their ids, the blocks, the snapshots, the
-- ledger's own tables), and when each was last verified whole.
CREATE TABLE summa_host.verification_part (
  part text PRIMARY KEY,
  verified_at timestamptz NOT NULL,             -- when the verification of the part began
  rows bigint NOT NULL,
  findings bigint NOT NULL
);
