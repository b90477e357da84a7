-- The table $1 and its partitions, where this role is not a member of the owner.
SELECT c.oid::regclass::text AS name
FROM pg_catalog.pg_partition_tree($1::bigint::oid::regclass) t JOIN pg_catalog.pg_class c ON c.oid = t.relid
WHERE NOT pg_has_role(c.relowner, 'MEMBER')
ORDER BY 1 LIMIT 5
