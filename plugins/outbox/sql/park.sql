-- $1 sink, $2 ids, $3 streams, $4 keys, $5 positions (the largest number: unknown), $6 correlation ids.
INSERT INTO summa_host.outbox_waiting
  (sink, outbox_id, stream, key, place, created_at, position, correlation_id)
SELECT $1, o.id, w.stream, w.key, w.position, o.created_at,
       NULLIF(w.position, 9223372036854775807), NULLIF(w.correlation_id, '')
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[])
     AS w (id, stream, key, position, correlation_id)
CROSS JOIN LATERAL (SELECT id, created_at FROM outbox WHERE outbox.id = w.id OFFSET 0) o
ON CONFLICT (sink, outbox_id) DO NOTHING
