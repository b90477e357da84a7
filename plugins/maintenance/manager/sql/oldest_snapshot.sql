-- Who has the oldest snapshot of this database. FINALIZE waits for no vacuum.
SELECT format('process %s (%s, %s)', a.pid, coalesce(nullif(a.application_name, ''), 'no name'), a.state) AS what
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = current_database() AND a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid()
  AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
ORDER BY age(a.backend_xmin) DESC, a.xact_start LIMIT 1
