-- $1 the one stream of all topics or NULL. Where two lanes become one, one dead letter blocks both.
UPDATE summa_host.outbox_blocked_key b
SET stream = COALESCE($1::text, b.topic)
WHERE b.stream <> COALESCE($1::text, b.topic)
  AND NOT EXISTS (SELECT FROM summa_host.outbox_blocked_key other
                  WHERE other.key = b.key AND other.outbox_id <> b.outbox_id
                    AND (other.stream = COALESCE($1::text, b.topic) OR $1 IS NOT NULL
                         AND (other.blocked_at, other.outbox_id) < (b.blocked_at, b.outbox_id)))
