-- The table of this name; problem: why it is not partitioned by the range of one timestamptz column that is NOT NULL.
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name,
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS quoted, a.attname AS key,
       (SELECT pg_catalog.format('%I.%I', dn.nspname, d.relname)
        FROM pg_catalog.pg_class d JOIN pg_catalog.pg_namespace dn ON dn.oid = d.relnamespace
        WHERE d.oid = p.partdefid) AS default_partition,
       CASE WHEN c.relkind <> 'p' THEN 'it is not a partitioned table'
            WHEN c.relispartition THEN 'it is a partition itself'
            WHEN p.partstrat <> 'r' THEN 'it is not partitioned by range'
            WHEN p.partnatts <> 1 OR p.partexprs IS NOT NULL THEN 'its key is not one column'
            WHEN a.atttypid <> 'timestamptz'::regtype THEN 'its key is not of type timestamptz'
            WHEN NOT o.opcdefault THEN 'its key has an operator class of its own'
            WHEN NOT a.attnotnull THEN 'its key may be NULL' END AS problem
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] AND a.attnum > 0
LEFT JOIN pg_catalog.pg_opclass o ON o.oid = p.partclass[0]
WHERE c.oid = pg_catalog.to_regclass($1)
