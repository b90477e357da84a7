-- Who holds, or waits for, a lock on one of the tables $1 (quoted) that conflicts with the mode in $2 at its place.
-- lasting: prepared, a vacuum that does not give way, or a transaction open for longer than $3 seconds.
WITH conflict(mode, other) AS (VALUES
  ('ACCESS SHARE', '{AccessExclusiveLock}'::text[]),
  ('SHARE UPDATE EXCLUSIVE',
   '{ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'),
  ('SHARE ROW EXCLUSIVE',
   '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'),
  ('ACCESS EXCLUSIVE',
   '{AccessShareLock,RowShareLock,RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,
     ExclusiveLock,AccessExclusiveLock}')),
wanted AS (
  SELECT r.name, r.mode, r.place, pg_catalog.to_regclass(r.name)::oid AS oid
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY r(name, mode, place)),
held AS (  -- pid NULL: a prepared transaction
  SELECT DISTINCT ON (l.pid, l.virtualtransaction) l.pid, l.virtualtransaction, w.name
  FROM wanted w
  JOIN conflict c ON c.mode = w.mode
  JOIN pg_catalog.pg_locks l ON l.locktype = 'relation' AND l.relation = w.oid AND l.mode = ANY (c.other)
  WHERE l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
  ORDER BY l.pid, l.virtualtransaction, w.place),
prepared AS (
  SELECT t.virtualtransaction, p.gid, p.owner, p.prepared
  FROM pg_catalog.pg_locks t JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = t.transactionid
  WHERE t.locktype = 'transactionid' AND t.pid IS NULL),
activity AS (  -- of other roles only for members of pg_read_all_stats
  SELECT a.*, a.backend_type = 'autovacuum worker' AS autovacuum,
         a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)' AS wraparound
  FROM pg_catalog.pg_stat_activity a)
SELECT h.name AS table_name, h.virtualtransaction AS transaction, h.pid, p.gid, coalesce(p.owner, a.usename) AS role,
       nullif(a.application_name, '') AS application, a.state,
       coalesce(a.autovacuum, false) AS autovacuum, coalesce(a.wraparound, false) AS wraparound,
       pg_catalog.date_part('epoch', s.now - a.state_change) AS state_seconds,
       coalesce(a.xact_start, p.prepared) AS since, a.query_start,
       h.pid IS NULL OR coalesce(a.wraparound, false)
         OR coalesce(s.now - a.xact_start > pg_catalog.make_interval(secs => $3::float8), false) AS lasting
FROM held h
LEFT JOIN activity a ON a.pid = h.pid
LEFT JOIN prepared p ON h.pid IS NULL AND p.virtualtransaction = h.virtualtransaction
CROSS JOIN (SELECT pg_catalog.clock_timestamp() AS now) s
ORDER BY since, pid
