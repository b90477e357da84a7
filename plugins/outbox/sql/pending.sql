-- Rows that wait for delivery, with the ordering key of each (contracts: accountId, else holdId, else
-- transactionId, else the row's own id). `document` is the payload, decoded once more when a driver stored
-- it as a JSON string; NULL when that text is no JSON.
-- {lane}: what order is kept within. $1 lower bound of created_at, $2 lanes and $3 topics to leave out.
SELECT id, event_id, topic, payload, created_at, retry_count, document, key
FROM outbox
CROSS JOIN LATERAL (
  SELECT CASE jsonb_typeof(payload)
           WHEN 'string' THEN summa_host.try_jsonb(payload #>> '{}')
           ELSE payload
         END AS document
  OFFSET 0
) d
CROSS JOIN LATERAL (
  SELECT COALESCE(document ->> 'accountId', document ->> 'holdId', document ->> 'transactionId',
                  id::text) AS key
  OFFSET 0
) k
-- status is a literal, never a parameter: a generic plan could not use the index otherwise.
WHERE status = 'pending' AND processed_at IS NULL AND created_at >= $1
  AND {lane} <> ALL ($2) AND topic <> ALL ($3)
