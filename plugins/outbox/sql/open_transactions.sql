-- Who may still make rows visible whose created_at is before now: the transactions that are open, by the names
-- that every role may see. Workers of the server itself write no rows.
SELECT clock_timestamp() AS server_time, COALESCE((SELECT string_agg(name, ' ') FROM (
  SELECT l.virtualxid AS name
  FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted
    AND a.datname = current_database() AND a.usesysid IS NOT NULL AND l.pid <> pg_backend_pid()
  UNION ALL
  SELECT 'prepared' FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()
) open), '') AS names
