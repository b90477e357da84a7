-- The partitions of a table by bound, without DEFAULT. The server reads the literals that it wrote itself: exact, as
-- sessions pin DateStyle and TimeZone. MINVALUE and MAXVALUE are no literals. A partition that is dropped meanwhile has
-- no bounds, and is left out.
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name,
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS quoted, c.relkind = 'r' AS plain,
       coalesce(pg_catalog.substring(b.bounds, '^FOR VALUES FROM \(''([^'']*)''\) TO \(.*\)$')::timestamptz,
                '-infinity') AS from_time,
       coalesce(pg_catalog.substring(b.bounds, '^FOR VALUES FROM \(.*\) TO \(''([^'']*)''\)$')::timestamptz,
                'infinity') AS to_time,
       -- Before PostgreSQL 14 there is no such column, and no DETACH CONCURRENTLY.
       coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending')::boolean, false) AS detach_pending,
       CASE WHEN c.reltuples = 0 AND c.relpages = 0
                 AND pg_catalog.current_setting('server_version_num')::integer < 140000 THEN -1
            ELSE c.reltuples::float8 END AS rows,
       pg_catalog.pg_total_relation_size(c.oid) AS bytes
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bounds) b
WHERE i.inhparent = $1::bigint::oid AND b.bounds <> 'DEFAULT'
ORDER BY from_time, to_time, c.oid
