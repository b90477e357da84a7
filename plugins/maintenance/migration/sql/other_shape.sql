-- What a partition must have in common with its table, and only one of these two tables has ($1, $2: their oids), as
-- text; NULL: nothing.
WITH part (relation, what) AS (
  SELECT attrelid::bigint,
         concat_ws(' ', 'column', quote_ident(attname), format_type(atttypid, atttypmod),
                   'COLLATE ' || nullif(attcollation, 0)::regcollation::text,
                   CASE WHEN attnotnull THEN 'NOT NULL' END, 'GENERATED ' || nullif(attgenerated, '')::text)
    FROM pg_catalog.pg_attribute
   WHERE attrelid IN ($1::bigint::oid, $2::bigint::oid) AND attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT conrelid::bigint, format('CHECK %I', conname)
    FROM pg_catalog.pg_constraint
   WHERE conrelid IN ($1::bigint::oid, $2::bigint::oid) AND contype = 'c'
     AND conname NOT IN ('summa_migration_bound', 'summa_partition_bounds')
)
SELECT string_agg(what, ', ' ORDER BY what)
  FROM (SELECT what FROM part GROUP BY what HAVING count(*) = 1) differs
