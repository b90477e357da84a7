-- The statements, in order, that give the table with oid $3 what CREATE TABLE .. (LIKE ..) does not copy: the comment
-- of the table with oid $1 (the parent); owner, storage options, statistics targets, replica identity, row level
-- security and privileges of the table with oid $2 (another partition, or the parent).
WITH leaf AS (
  SELECT c.*, pg_catalog.format('%I.%I', n.nspname, c.relname) AS quoted
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $3::bigint::oid),
source AS (SELECT * FROM pg_catalog.pg_class WHERE oid = $2::bigint::oid),
source_column AS (
  SELECT * FROM pg_catalog.pg_attribute WHERE attrelid = $2::bigint::oid AND attnum > 0 AND NOT attisdropped),
unique_index AS (  -- of both, without what is called differently: the name of the index and of the table
  SELECT x.indrelid, x.indisreplident, i.relname AS name,
         pg_catalog.substr(pg_catalog.pg_get_indexdef(i.oid), 1 + pg_catalog.length(
           pg_catalog.format('CREATE UNIQUE INDEX %I ON %s%I.%I ', i.relname,
                             CASE t.relkind WHEN 'p' THEN 'ONLY ' ELSE '' END, n.nspname, t.relname))) AS definition
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  WHERE x.indrelid IN ($2::bigint::oid, $3::bigint::oid) AND x.indisunique),
leaf_identity AS (
  SELECT l.name
  FROM unique_index l JOIN unique_index s ON s.definition = l.definition
  WHERE l.indrelid = $3::bigint::oid AND s.indrelid = $2::bigint::oid AND s.indisreplident
  ORDER BY l.name LIMIT 1),
option AS (
  SELECT pg_catalog.format('%I = %L', o.option_name, o.option_value) AS text
  FROM source, pg_catalog.pg_options_to_table(source.reloptions) o
  UNION ALL
  SELECT pg_catalog.format('toast.%I = %L', o.option_name, o.option_value)
  FROM source JOIN pg_catalog.pg_class t ON t.oid = source.reltoastrelid,
       pg_catalog.pg_options_to_table(t.reloptions) o),
-- What the source's grants are, and who has been granted something on the leaf, by default privileges too. The leaf's
-- owner is the source's by then.
wanted AS (
  SELECT a.grantee, a.privilege_type, a.is_grantable
  FROM source, pg_catalog.aclexplode(coalesce(source.relacl, pg_catalog.acldefault('r', source.relowner))) a),
present AS (
  SELECT DISTINCT CASE a.grantee WHEN leaf.relowner THEN source.relowner ELSE a.grantee END AS grantee
  FROM leaf, source, pg_catalog.aclexplode(coalesce(leaf.relacl, pg_catalog.acldefault('r', leaf.relowner))) a),
differs AS (
  SELECT source.relacl IS NOT NULL OR leaf.relacl IS NOT NULL AS grants FROM leaf, source),
statement AS (
  SELECT 1 AS step, pg_catalog.format('COMMENT ON TABLE %s IS %L', leaf.quoted, d.text) AS text
  FROM leaf, pg_catalog.obj_description($1::bigint::oid, 'pg_class') d(text) WHERE d.text IS NOT NULL
  UNION ALL
  SELECT 2, pg_catalog.format('ALTER TABLE %s OWNER TO %s', leaf.quoted, source.relowner::regrole)
  FROM leaf, source WHERE leaf.relowner <> source.relowner
  UNION ALL
  SELECT 3, pg_catalog.format('ALTER TABLE %s SET (%s)', leaf.quoted, o.texts)
  FROM leaf, (SELECT pg_catalog.string_agg(text, ', ') AS texts FROM option) o WHERE o.texts IS NOT NULL
  UNION ALL
  SELECT 4, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', leaf.quoted, attname, attstattarget)
  FROM leaf, source_column WHERE attstattarget >= 0
  UNION ALL
  SELECT 4, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET (%I = %L)', leaf.quoted, attname, o.option_name,
                              o.option_value)
  FROM leaf, source_column, pg_catalog.pg_options_to_table(attoptions) o
  UNION ALL
  SELECT 5, pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY %s', leaf.quoted,
                              CASE source.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' END)
  FROM leaf, source WHERE source.relreplident IN ('f', 'n')
  UNION ALL
  SELECT 5, pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', leaf.quoted, leaf_identity.name)
  FROM leaf, source, leaf_identity WHERE source.relreplident = 'i'
  UNION ALL
  SELECT 6, pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', leaf.quoted)
  FROM leaf, source WHERE source.relrowsecurity
  UNION ALL
  SELECT 6, pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', leaf.quoted)
  FROM leaf, source WHERE source.relforcerowsecurity
  UNION ALL
  SELECT 7, pg_catalog.format('REVOKE ALL ON TABLE %s FROM %s CASCADE', leaf.quoted,
                              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
  FROM leaf, present, differs WHERE differs.grants
  UNION ALL
  SELECT 8, pg_catalog.format('GRANT %s ON TABLE %s TO %s%s', privilege_type, leaf.quoted,
                              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                              CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM leaf, wanted, differs WHERE differs.grants
  UNION ALL
  SELECT 9, pg_catalog.format('GRANT %s (%I) ON TABLE %s TO %s%s', a.privilege_type, attname, leaf.quoted,
                              CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM leaf, source_column, pg_catalog.aclexplode(attacl) a)
SELECT text AS statement FROM statement ORDER BY step, text
