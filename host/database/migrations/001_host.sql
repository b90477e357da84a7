-- What the host keeps about its workers. Plain, full primary keys only: the take-over of a lease waits
-- for a guarded commit only then.
CREATE TABLE summa_host.worker_state (
  worker_id text PRIMARY KEY,
  plugin text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('periodic', 'continuous')),
  state text NOT NULL,
  host text NOT NULL,
  last_run_at timestamptz,
  last_success_at timestamptz,
  next_due_at timestamptz,
  paused boolean NOT NULL DEFAULT false,
  last_error text,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Counts the holders of each lease. Never in Summa's own worker_lease: its rows are deleted at times,
-- and the count must go on.
CREATE TABLE summa_host.worker_fence (
  worker text PRIMARY KEY,
  fence bigint NOT NULL,
  backend_pid integer,
  backend_start timestamptz
);
