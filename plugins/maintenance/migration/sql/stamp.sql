-- Which transactions wrote what the catalog has about one table ($1: its oid): while this is the same, so is what
-- inventory.sql says, and it costs a fraction of it. Whatever is made for the table, or dropped, writes a dependency;
-- the rest is what is changed in its place: columns, names of indexes, views, publications, comments.
WITH d AS (
  SELECT *, xmin::text AS writer FROM pg_catalog.pg_depend
   WHERE refclassid = 'pg_catalog.pg_class'::regclass AND refobjid = $1::bigint::oid
), written (place, oid, number, writer) AS (
  SELECT 1, oid::bigint, 0, xmin::text FROM pg_catalog.pg_class WHERE oid = $1::bigint::oid
  UNION ALL SELECT 2, 0, attnum, xmin::text FROM pg_catalog.pg_attribute WHERE attrelid = $1::bigint::oid
  UNION ALL SELECT 3, objid::bigint, refobjsubid, writer FROM d
  UNION ALL SELECT 4, i.oid::bigint, 0, i.xmin::text
    FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = $1::bigint::oid
  UNION ALL SELECT 5, w.oid::bigint, 0, concat(w.xmin, ' ', v.xmin)
    FROM d JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND w.oid = d.objid
    JOIN pg_catalog.pg_class v ON v.oid = w.ev_class
  UNION ALL SELECT 6, oid::bigint, 0, xmin::text FROM pg_catalog.pg_publication
  UNION ALL SELECT 7, 0, objsubid, xmin::text FROM pg_catalog.pg_description
    WHERE objoid = $1::bigint::oid AND classoid = 'pg_catalog.pg_class'::regclass
)
SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', place, oid, number, writer), ','
                                            ORDER BY place, oid, number, writer)) FROM written
