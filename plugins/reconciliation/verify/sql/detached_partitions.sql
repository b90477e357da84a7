-- Recorded partitions of $1 that it does not have now, with the number of their events that it has not. A pending DETACH
-- CONCURRENTLY hides the rows already.
SELECT r.id, r.updated_at, r.from_time, r.to_time,
       coalesce(r.row_count - r.kept_count, (SELECT sum(d.last_version - d.first_version + 1)
                                             FROM summa_host.partition_edge d WHERE d.record = r.id), 0)::bigint AS events
FROM summa_host.partition_record r
WHERE r.state <> 'attached' AND to_regclass(r.parent) = $1::text::regclass
  AND NOT EXISTS (
    SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.inhparent = $1::text::regclass AND NOT i.inhdetachpending
      AND r.name IN (c.relname, quote_ident(c.relname), format('%s.%s', n.nspname, c.relname),
                     format('%I.%I', n.nspname, c.relname)))
ORDER BY r.from_time, r.id
