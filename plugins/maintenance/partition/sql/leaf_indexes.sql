-- The statements that give the table $2 (quoted) what the partition with oid $1[1] has, or else $1[2], and so on: the
-- unique indexes that no index of the parent stands for. Those of constraints become constraints. The server chooses
-- the names.
WITH own AS (
  SELECT c.place, x.indexrelid, x.indisprimary, t.relname AS name, k.oid AS constraint_oid,
         pg_catalog.pg_get_indexdef(x.indexrelid) AS definition,
         pg_catalog.format('CREATE UNIQUE INDEX %I ON %I.%I ', t.relname, n.nspname, r.relname) AS prefix
  FROM pg_catalog.unnest($1::bigint[]) WITH ORDINALITY c(oid, place)
  JOIN pg_catalog.pg_index x ON x.indrelid = c.oid::oid AND x.indisunique AND x.indisvalid AND x.indislive
  JOIN pg_catalog.pg_class t ON t.oid = x.indexrelid
  JOIN pg_catalog.pg_class r ON r.oid = x.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k
    ON k.conindid = x.indexrelid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u')
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = x.indexrelid))
SELECT CASE WHEN constraint_oid IS NOT NULL
              THEN pg_catalog.format('ALTER TABLE %s ADD %s', $2::text, pg_catalog.pg_get_constraintdef(constraint_oid))
            WHEN pg_catalog.starts_with(definition, prefix)
              THEN pg_catalog.format('CREATE UNIQUE INDEX ON %s %s', $2::text,
                                     pg_catalog.substr(definition, pg_catalog.length(prefix) + 1)) END AS statement,
       name
FROM own
WHERE place = (SELECT min(place) FROM own)
ORDER BY indisprimary DESC, name
