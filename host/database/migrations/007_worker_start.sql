-- Whether the last host that began to call a worker has come back from a call, and what became of those before it.
-- Written once when a host is about to call a worker under a new lease, and once when the first call has returned;
-- by a host that crashes, also then.
CREATE TABLE summa_host.worker_start (
  worker_id text PRIMARY KEY,
  fence bigint NOT NULL,                        -- of the lease; 0: the worker takes none
  host text NOT NULL,
  began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  unfinished boolean NOT NULL,                  -- no call has returned
  deaths integer NOT NULL DEFAULT 0,            -- starts in a row that stayed so, nobody knows why
  crashes integer NOT NULL DEFAULT 0,           -- that hosts reported, each soon after the one before
  crashed_at timestamptz,
  crash text                                    -- what the last of them said
);
