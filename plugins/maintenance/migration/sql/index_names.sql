-- The names that the indexes of the flat table have now, and those that they had before the exchange. $1: the migration.
SELECT i.relname AS now, e.value AS before, x.indisunique AS is_unique
  FROM summa_host.migration m, jsonb_each_text(m.index_names) e
  JOIN pg_catalog.pg_class i ON i.oid = e.key::bigint::oid
  JOIN pg_catalog.pg_index x ON x.indexrelid = i.oid
 WHERE m.operation = $1
