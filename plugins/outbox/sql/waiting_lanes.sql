-- The lanes in which rows wait: one probe of the index for each, however many rows it has.
WITH RECURSIVE found AS (
  (SELECT lane, stream, key FROM summa_host.outbox_waiting WHERE sink = $1 ORDER BY lane LIMIT 1)
  UNION ALL
  SELECT next.* FROM found CROSS JOIN LATERAL (
    SELECT w.lane, w.stream, w.key FROM summa_host.outbox_waiting w
    WHERE w.sink = $1 AND w.lane > found.lane ORDER BY w.lane LIMIT 1) next
)
SELECT stream, key FROM found
