-- The tables that hold the rows of a table: its leaves, or itself. Blocks, and rows in one as last counted.
SELECT format('%I.%I', n.nspname, c.relname) AS name,
       pg_relation_size(c.oid) / current_setting('block_size')::bigint AS blocks,
       CASE WHEN c.relpages > 0 AND c.reltuples > 0 THEN c.reltuples::float8 / c.relpages ELSE 0 END AS rows_per_block
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm')
  AND (c.oid = $1::regclass
       OR c.oid IN (SELECT relid FROM pg_partition_tree($1::regclass) WHERE isleaf))
ORDER BY 1
