-- Events among the last $1 blocks that are in none and not sealed by themselves: in the range of a block but not of
-- its seal, or between two blocks.
WITH blocks AS (
  SELECT id, block_sequence, from_event_sequence, to_event_sequence, event_count,
         lag(to_event_sequence) OVER (ORDER BY block_sequence) AS before
  FROM block_checkpoint ORDER BY block_sequence DESC LIMIT $1
), late AS (
  SELECT e.{position} AS position, b.block_sequence, e.id
  FROM blocks b
  JOIN summa_host.block_seal s ON s.block_id = b.id
  JOIN {events} e ON e.{position} BETWEEN b.from_event_sequence AND b.to_event_sequence
  WHERE b.event_count <> (SELECT count(*) FROM {events} c
                          WHERE c.{position} BETWEEN b.from_event_sequence AND b.to_event_sequence)
    AND NOT s.positions @> e.{position}::bigint
  UNION ALL
  SELECT e.{position}, b.block_sequence, e.id
  FROM blocks b
  JOIN {events} e ON e.{position} > coalesce(b.before, -9223372036854775808) AND e.{position} < b.from_event_sequence
  WHERE b.before IS DISTINCT FROM b.from_event_sequence - 1
)
SELECT position::bigint, block_sequence::bigint, id FROM late
WHERE NOT EXISTS (SELECT FROM summa_host.late_event l WHERE l.position = late.position)
ORDER BY position
