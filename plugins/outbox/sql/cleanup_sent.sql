-- What a sink has is remembered as long as the row may still be found by a poll; see Processor::kSettledMargin
-- ($2 microseconds). $1 retention, $3 limit.
DELETE FROM summa_host.outbox_sent sent
WHERE (sent.sink, sent.outbox_id) IN (
  SELECT s.sink, s.outbox_id
  FROM summa_host.outbox_sent s
  WHERE s.sent_at < clock_timestamp() - make_interval(secs => $1::float8 / 1000000)
    AND s.sent_at < COALESCE((SELECT min(observed_until) FROM summa_host.outbox_sink),
                             clock_timestamp()) - make_interval(secs => $2::float8 / 1000000)
    AND NOT EXISTS (SELECT FROM outbox o WHERE o.id = s.outbox_id AND o.status = 'pending')
  ORDER BY s.sent_at
  LIMIT $3)
