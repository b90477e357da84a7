-- $1: the table. What its triggers and those of its partitions lack.
WITH relation AS (
  SELECT $1::regclass::oid AS oid, true AS parent
  UNION ALL
  SELECT t.relid, false FROM pg_catalog.pg_partition_tree($1::regclass) t WHERE t.relid <> $1::regclass
), needed (name, function, of_partitions) AS (
  VALUES ('zz_summa_guard', 'guard_ledger_event', true),
         ('zz_summa_guard_update', 'guard_ledger_event_update', true),
         ('zz_summa_guard_delete', 'guard_ledger_event_delete', true),
         ('zz_summa_guard_truncate', 'refuse_ledger_event_truncate', false)
), found AS (
  SELECT r.oid, n.name, n.function, t.oid AS trigger, t.tgenabled, p.prosecdef, p.proname, s.nspname
    FROM relation r JOIN needed n ON r.parent OR n.of_partitions
    LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid AND t.tgname = n.name
    LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    LEFT JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace
), problem (oid, what) AS (
  SELECT oid, CASE WHEN trigger IS NULL THEN format('trigger %s is missing', name)
                   WHEN tgenabled = 'D' THEN format('trigger %s is disabled', name)
                   WHEN tgenabled <> 'A' THEN format('trigger %s is not enabled ALWAYS', name)
                   WHEN (nspname, proname) <> ('summa_host', function)
                     THEN format('trigger %s calls %I.%I', name, nspname, proname)
                   WHEN NOT prosecdef AND name <> 'zz_summa_guard_truncate'
                     THEN format('function %I.%I is not SECURITY DEFINER', nspname, proname) END
    FROM found
  UNION ALL
  -- tgtype: 1 of rows, 2 BEFORE, 4 INSERT
  SELECT r.oid, format('trigger %I runs after the guard and may change the row', t.tgname)
    FROM relation r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid
   WHERE t.tgtype & 7 = 7 AND t.tgenabled <> 'D' AND t.tgname > 'zz_summa_guard' COLLATE "C"
  UNION ALL
  SELECT r.oid, format('column %I may be NULL, and such a row is not guarded', a.attname)
    FROM relation r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND NOT a.attnotnull AND NOT a.attisdropped
   WHERE a.attname IN ('id', 'aggregate_type', 'aggregate_id', '{position}', '{version}', '{hash}')
)
SELECT oid::regclass::text AS place, what FROM problem WHERE what IS NOT NULL ORDER BY 1, 2
