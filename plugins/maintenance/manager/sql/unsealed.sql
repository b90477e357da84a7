-- Events of a partition that no block contains and that are not recorded as late.
WITH covered AS (
  SELECT coalesce(range_agg(r), '{}') AS positions
  FROM (SELECT unnest(positions) AS r FROM summa_host.block_seal
        UNION ALL
        SELECT int8range(b.from_event_sequence::bigint, b.to_event_sequence::bigint, '[]') FROM block_checkpoint b
        WHERE NOT EXISTS (SELECT FROM summa_host.block_seal s WHERE s.block_id = b.id)) blocks
)
SELECT count(*)
FROM {partition} e CROSS JOIN covered c
WHERE NOT e.{position} <@ c.positions
  AND NOT EXISTS (SELECT FROM summa_host.late_event l WHERE l.position = e.{position})
