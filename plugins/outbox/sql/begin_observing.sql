-- What somebody has marked before now is history. Only rows as young as $2 microseconds are ever looked at whatever their
-- status, so the older ones need no entry. $1 sink.
WITH history AS (
  INSERT INTO summa_host.outbox_sent (sink, outbox_id, history)
  SELECT $1, o.id, true FROM outbox o
  WHERE o.status IN ('processed', 'failed')
    AND o.created_at >= clock_timestamp() - make_interval(secs => $2::float8 / 1000000)
  ON CONFLICT (sink, outbox_id) DO NOTHING
)
INSERT INTO summa_host.outbox_sink (sink, observe_since, observed_until)
VALUES ($1, clock_timestamp(), clock_timestamp())
ON CONFLICT (sink) DO UPDATE SET observe_since = excluded.observe_since,
  observed_until = excluded.observed_until
