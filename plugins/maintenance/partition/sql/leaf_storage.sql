-- Access method and tablespace of the table with oid $1, where they are set, as CREATE TABLE writes them.
SELECT CASE WHEN m.amname IS NULL THEN '' ELSE pg_catalog.format(' USING %I', m.amname) END
         || CASE WHEN s.spcname IS NULL THEN '' ELSE pg_catalog.format(' TABLESPACE %I', s.spcname) END AS storage
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
WHERE c.oid = $1::bigint::oid
