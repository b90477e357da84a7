-- Names that no new partition of the table $1 (called $2) may have: of relations in its schema, and of partitions that
-- may come back.
SELECT c.relname::text AS name
FROM pg_catalog.pg_class p JOIN pg_catalog.pg_class c ON c.relnamespace = p.relnamespace WHERE p.oid = $1::bigint::oid
UNION
SELECT name FROM summa_host.partition_record WHERE parent = $2
