INSERT INTO summa_host.ledger_event_head AS head (aggregate_type, aggregate_id, version, hash, created_at)
SELECT DISTINCT ON (aggregate_type, aggregate_id) aggregate_type, aggregate_id, {version}, {hash}, created_at
  FROM {events} WHERE {position} > $1 AND {position} <= $2
 ORDER BY aggregate_type, aggregate_id, {version} DESC
ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE
   SET version = excluded.version, hash = excluded.hash, created_at = excluded.created_at
 WHERE head.version < excluded.version
