-- One read of the tail: everything that waits since $1, oldest first, at most {limit} rows. With fewer
-- rows than the limit this is the complete set of one snapshot, so it may be sorted by position: whatever
-- becomes visible later comes later in its account.
SELECT o.id, o.topic, COALESCE(o.document, o.payload)::text AS payload, o.created_at, o.retry_count,
       o.key, e.position, e.correlation_id::text AS correlation_id
FROM ({pending} ORDER BY created_at LIMIT {limit}) o
{event_position}
