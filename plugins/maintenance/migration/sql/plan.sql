INSERT INTO summa_host.migration (operation, strategy, range_interval, verify_level, batch_size, workers, request, bound,
                                  table_schema, table_name, old_table, fingerprint, estimate)
SELECT $1::bigint, a ->> 'strategy', a ->> 'interval', a ->> 'verify', (a ->> 'batchSize')::bigint,
       (a ->> 'workers')::integer, CASE WHEN (a ->> 'swap')::boolean THEN 'swap' END, (a ->> 'bound')::timestamptz,
       $3, $4, $5::bigint::oid, $6,
       jsonb_build_object('rows', $7::bigint, 'bytesNeeded', $8::bigint, 'seconds', $9::bigint)
  FROM (SELECT $2::jsonb AS a) arguments
