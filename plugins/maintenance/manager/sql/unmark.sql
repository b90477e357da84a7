-- The statement that gives the table $2 (quoted) the comment of its parent $1 in place of the comment $3, if it has that.
SELECT format('COMMENT ON TABLE %s IS %L', $2::text, pg_catalog.obj_description($1::bigint::oid, 'pg_class')) AS statement
WHERE pg_catalog.obj_description($2::text::regclass, 'pg_class') = $3
