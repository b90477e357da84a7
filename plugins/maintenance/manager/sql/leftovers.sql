-- Tables with the comment $2 that are no partition of any table, in the schema of the table $1.
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_class p
JOIN pg_catalog.pg_class c ON c.relnamespace = p.relnamespace AND c.relkind = 'r' AND NOT c.relispartition
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE p.oid = $1::bigint::oid AND pg_catalog.obj_description(c.oid, 'pg_class') = $2
ORDER BY 1
