WITH latest AS (
  SELECT aggregate_type, aggregate_id, max(snapshot_version) AS version FROM summa_host.hash_snapshot GROUP BY 1, 2
), block AS (
  SELECT block_at, to_event_sequence FROM block_checkpoint ORDER BY block_sequence DESC LIMIT 1
), run AS (
  SELECT r.run_date, r.status FROM reconciliation_result r ORDER BY r.run_date DESC LIMIT 1
)
SELECT (SELECT count(*) FROM summa_host.hash_snapshot) AS snapshots,
       (SELECT count(*) FROM latest) AS aggregates,
       -- $1: events in detached partitions. Every event is one above the last version that a snapshot vouches for, or is not.
       ((SELECT count(*) FROM {events}) + $1::bigint - coalesce((SELECT sum(version) FROM latest), 0))::bigint AS events_since_snapshot,
       coalesce((SELECT to_char(block_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') FROM block), '') AS block_at,
       (SELECT count(*) FROM {events} WHERE {position} > coalesce((SELECT to_event_sequence FROM block), 0)) AS unsealed_events,
       (SELECT count(*) FROM summa_host.late_event) AS late_events,
       coalesce((SELECT run_date FROM run), '')::text AS run_date,
       coalesce((SELECT status FROM run), '')::text AS run_status
