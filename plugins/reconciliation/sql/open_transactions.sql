-- Who may still add entries: created_at is when the transaction of an entry began. `until`: what is not in `unknown`
-- began later than this, or is about to begin, within a minute. `unknown`: transactions of which nobody says when they
-- began: those of other roles without pg_read_all_stats, and prepared ones, of which only the end of their work is known.
WITH entries AS (
  SELECT relid::oid AS oid FROM pg_catalog.pg_partition_tree('entry_record'::regclass)
  UNION SELECT 'entry_record'::regclass::oid
), sessions AS (
  SELECT pid, xact_start FROM pg_catalog.pg_stat_activity
  WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
), open AS (
  SELECT l.virtualtransaction, a.xact_start, l.pid IS NULL OR a.xact_start IS NULL AS unknown
  FROM pg_catalog.pg_locks l LEFT JOIN sessions a ON a.pid = l.pid
  WHERE l.granted AND CASE
    WHEN l.pid IS NULL THEN l.locktype = 'relation' AND l.relation IN (SELECT oid FROM entries)
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    ELSE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND a.pid IS NOT NULL END
)
SELECT least(clock_timestamp() - interval '1 minute', (SELECT min(xact_start) FROM sessions)) AS until,
       coalesce((SELECT string_agg(DISTINCT virtualtransaction, ' ') FROM open WHERE unknown), '') AS unknown
