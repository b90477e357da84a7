-- How many rows the catalog counted at the last ANALYZE or VACUUM, by table of $1; -1: never. Of a partitioned table the
-- larger of its own count and that of its partitions: the former still knows of one that was detached since, of which
-- the rows in $2 are known to have left.
SELECT w.name, coalesce(greatest(c.reltuples - w.detached, (
         SELECT sum(greatest(l.reltuples, 0)) FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid
         WHERE c.relkind = 'p' AND p.isleaf)), -1)::float8 AS expected
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS w (name, detached, place) LEFT JOIN pg_class c ON c.oid = to_regclass(w.name)
ORDER BY w.place
