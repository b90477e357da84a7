-- The journal of operations: long work that is done in batches by whichever host has the lease of its worker. The
-- row is changed in the transaction of each batch, so it always tells exactly what is done.
CREATE TABLE summa_host.operation (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  plugin text NOT NULL,
  kind text NOT NULL,
  version integer NOT NULL,                     -- of the kind: older plugins leave it to newer ones
  worker text NOT NULL,                         -- under whose lease it is done
  single boolean NOT NULL,                      -- no other of its kind may be open
  arguments jsonb NOT NULL,
  state text NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'running', 'paused', 'done', 'failed', 'aborted')),
  phase text NOT NULL DEFAULT '',               -- where the next batch begins, in the words of the plugin
  cursor text NOT NULL DEFAULT '',
  done bigint NOT NULL DEFAULT 0,               -- rows
  total bigint,                                 -- rows; NULL: not known
  rate bigint NOT NULL CHECK (rate >= 0),       -- rows a second at most; 0: no limit
  speed double precision NOT NULL DEFAULT 0,    -- rows a second, as of lately
  batches bigint NOT NULL DEFAULT 0,            -- that were committed: each one finds the number of the one before
  fence bigint NOT NULL DEFAULT 0,              -- of the lease under which it was last worked on
  host text,                                    -- that worked on it last
  requested_by text NOT NULL,
  steered_by text,                              -- who last paused, resumed or aborted it, or changed its rate
  failures integer NOT NULL DEFAULT 0,          -- consecutive
  error text,
  retry_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz                       -- NULL with state aborted: what it left is not taken back yet
);
CREATE INDEX ON summa_host.operation (plugin, kind, id) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX ON summa_host.operation (plugin, kind)
  WHERE single AND finished_at IS NULL AND state <> 'aborted';
