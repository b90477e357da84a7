-- Dead letters: those in Summa's table, and those of rows that its own processor keeps, which stand in ours only.
-- $1 state or 'all', $2 topic, $3 key, $4 id (of the dead letter or the row), each or NULL; $5 limit.
SELECT id, outbox_id::text, topic, key, error, attempts::bigint,
       to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created, state, payload
FROM (
  SELECT d.id::text, d.outbox_id, d.topic::text,
         summa_host.outbox_key(summa_host.outbox_document(d.payload), COALESCE(d.outbox_id, d.id)) AS key,
         d.error_message AS error, d.retry_count AS attempts, d.created_at, d.payload::text,
         CASE WHEN d.resolved_at IS NULL THEN 'pending'
              WHEN d.resolved_by LIKE 'summa-host%redrive' THEN 'redriven'
              WHEN d.resolved_by LIKE 'summa-host%discard' THEN 'discarded'
              ELSE 'resolved' END AS state
  FROM dead_letter_queue d
  UNION ALL
  SELECT o.id::text, o.id, o.topic::text,
         summa_host.outbox_key(summa_host.outbox_document(o.payload), o.id),
         own.error, own.attempts, own.at, o.payload::text,
         CASE own.error WHEN 'discarded' THEN 'discarded' ELSE 'pending' END
  FROM (
    SELECT b.outbox_id, b.error, b.blocked_at AS at,
           (SELECT max(w.attempts) FROM summa_host.outbox_waiting w
            WHERE w.outbox_id = b.outbox_id) AS attempts
    FROM summa_host.outbox_blocked_key b
    WHERE NOT EXISTS (SELECT FROM dead_letter_queue d
                      WHERE d.outbox_id = b.outbox_id AND d.resolved_at IS NULL)
    UNION ALL
    SELECT sent.outbox_id, min(sent.error), min(sent.sent_at), NULL
    FROM summa_host.outbox_sent sent WHERE sent.error IS NOT NULL GROUP BY sent.outbox_id
  ) own
  JOIN outbox o ON o.id = own.outbox_id
) letters
WHERE ($1 = 'all' OR state = $1) AND ($2::text IS NULL OR topic = $2)
  AND ($3::text IS NULL OR key = $3) AND ($4::text IS NULL OR $4 IN (id, outbox_id::text))
ORDER BY created_at, id
LIMIT $5
