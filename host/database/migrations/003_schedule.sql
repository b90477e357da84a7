-- What people want of a worker holds for the whole fleet, so it stands beside its state.
ALTER TABLE summa_host.worker_state
  ADD COLUMN schedule text,       -- what next_due_at was made from
  ADD COLUMN paused_by text,
  ADD COLUMN paused_reason text,
  ADD COLUMN paused_since timestamptz;

-- Hosts, by name, that gave a worker up after too many failures. Others may still run it.
CREATE TABLE summa_host.worker_parked (
  worker_id text NOT NULL,
  host text NOT NULL,
  error text NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (worker_id, host)
);

-- What commands ask of the hosts. A request that has expired is void, whoever made it.
--   run    run the worker once now; the host that does writes what came of it
--   lease  let the lease of the worker go and stand back until this expires or is gone
CREATE TABLE summa_host.worker_request (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  worker_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('run', 'lease')),
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  seen_by text,
  taken_by text,
  finished_at timestamptz,
  outcome text,
  runs bigint,
  items bigint,
  duration_microseconds bigint,
  error text,
  exit_code integer
);

-- The first of these times of the day (microseconds since midnight, UTC) that comes after p_after.
CREATE FUNCTION summa_host.next_time_of_day(p_times bigint[], p_after timestamptz)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $function$
  SELECT min(candidate.moment AT TIME ZONE 'UTC')
  FROM unnest(p_times) AS t(time_of_day)
  CROSS JOIN generate_series(0, 1) AS d(days)
  CROSS JOIN LATERAL (
    SELECT date_trunc('day', p_after AT TIME ZONE 'UTC') + d.days * interval '1 day'
           + t.time_of_day * interval '1 microsecond' AS moment
  ) candidate
  WHERE candidate.moment > p_after AT TIME ZONE 'UTC'
$function$;
