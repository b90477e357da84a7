SELECT c.relname AS name, i.indisvalid AND i.indisready AS usable,
       pg_get_indexdef(i.indexrelid, 1, true) = 'created_at' AND i.indpred IS NOT NULL AS partial
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass('outbox')
  AND (pg_get_indexdef(i.indexrelid, 1, true) = 'created_at'
         AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ 'pending|processed_at IS NULL')
       OR pg_get_indexdef(i.indexrelid, 1, true) = 'status'
         AND pg_get_indexdef(i.indexrelid, 2, true) = 'created_at' AND i.indpred IS NULL)
ORDER BY 1
