-- Every unique index of a table that covers whole rows, with its columns.
SELECT i.relname::text AS name,
       (SELECT string_agg(a.attname, ',' ORDER BY k.place)
          FROM unnest(x.indkey::int2[]) WITH ORDINALITY k (number, place)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number) AS columns
  FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
 WHERE x.indrelid = $1::regclass AND x.indisunique AND x.indpred IS NULL AND x.indexprs IS NULL
   AND x.indnkeyatts = x.indnatts
 ORDER BY i.relname
