-- The statements that give the table $2 (quoted) the foreign keys of the table with oid $1, for ATTACH to adopt.
SELECT pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2::text, conname, pg_catalog.pg_get_constraintdef(oid))
         AS statement
FROM pg_catalog.pg_constraint
WHERE conrelid = $1::bigint::oid AND contype = 'f' AND conparentid = 0
ORDER BY conname
