-- Everything that hangs on one table ($1: its oid), as rows of kind, name and definition. The order is fixed, so that a
-- hash of the rows is the fingerprint of the table. What the migration itself adds is left out.
WITH t AS (
  SELECT c.*, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = $1::bigint::oid
), items AS (
  SELECT 'table' AS kind, t.relname::text AS name,
         concat_ws(' ', t.relkind, t.relpersistence, 'am', t.relam::regclass, 'owner',
                   pg_catalog.pg_get_userbyid(t.relowner), 'identity', t.relreplident, 'tablespace', t.reltablespace,
                   'oftype', t.reloftype, CASE WHEN t.relhassubclass THEN 'children' END) AS definition FROM t
  UNION ALL
  SELECT 'unlogged table', t.relname, '' FROM t WHERE t.relpersistence <> 'p'
  UNION ALL
  SELECT 'typed table', t.relname, '' FROM t WHERE t.reloftype <> 0
  UNION ALL
  SELECT 'tablespace', p.spcname, '' FROM t JOIN pg_catalog.pg_tablespace p ON p.oid = t.reltablespace
  UNION ALL
  SELECT 'option', o.option_name, o.option_value FROM t, pg_catalog.pg_options_to_table(t.reloptions) o
  UNION ALL
  SELECT 'column', a.attname,
         concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod),
                   CASE WHEN a.attnotnull THEN 'not null' END, 'collation', a.attcollation::regcollation, 'storage',
                   a.attstorage, 'identity', nullif(a.attidentity, ''), 'generated', nullif(a.attgenerated, ''),
                   'statistics', a.attstattarget, 'default', pg_catalog.pg_get_expr(d.adbin, d.adrelid), 'number',
                   a.attnum)
    FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  UNION ALL
  SELECT CASE WHEN a.attidentity <> '' THEN 'identity column' ELSE 'generated column' END, a.attname, ''
    FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE a.attidentity <> '' OR a.attgenerated <> ''
  UNION ALL
  SELECT CASE x.indisvalid AND x.indisready WHEN true THEN CASE
           WHEN x.indisexclusion THEN 'exclusion constraint' WHEN NOT x.indimmediate THEN 'deferrable constraint'
           WHEN x.indisreplident THEN 'replica identity index' WHEN x.indisclustered THEN 'clustered index'
           WHEN x.indisunique THEN 'unique index' ELSE 'index' END ELSE 'invalid index' END,
         i.relname, pg_catalog.pg_get_indexdef(x.indexrelid)
    FROM t JOIN pg_catalog.pg_index x ON x.indrelid = t.oid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  UNION ALL
  SELECT CASE k.contype WHEN 'c' THEN CASE WHEN k.convalidated THEN 'check' ELSE 'check that is not valid' END
                        WHEN 'f' THEN 'foreign key' WHEN 't' THEN 'constraint trigger'
                        WHEN 'n' THEN 'not null' ELSE 'key' END,
         k.conname, pg_catalog.pg_get_constraintdef(k.oid)
    FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.conname <> 'summa_migration_bound'
  UNION ALL
  SELECT CASE WHEN k.confkey = ARRAY[(SELECT a.attnum FROM pg_catalog.pg_attribute a
                                      WHERE a.attrelid = t.oid AND a.attname = 'id')]
                   AND NOT k.condeferrable AND k.confupdtype = 'a' AND k.confdeltype = 'a' AND k.confmatchtype = 's'
                   AND r.relkind = 'r' THEN 'reference' ELSE 'foreign key of another table' END,
         format('%I.%I', rn.nspname, r.relname), format('%I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid))
    FROM t JOIN pg_catalog.pg_constraint k ON k.confrelid = t.oid AND k.contype = 'f' AND k.conparentid = 0
    JOIN pg_catalog.pg_class r ON r.oid = k.conrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
  UNION ALL
  SELECT 'sequence', format('%I.%I', sn.nspname, s.relname), a.attname
    FROM t JOIN pg_catalog.pg_depend d ON d.refobjid = t.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
         AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
  UNION ALL
  SELECT DISTINCT CASE v.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'rule of another table' END,
         format('%I.%I', vn.nspname, v.relname),
         coalesce('WITH (' || pg_catalog.array_to_string(v.reloptions, ', ') || ') ', '') || 'AS '
           || pg_catalog.pg_get_viewdef(v.oid)
    FROM t JOIN pg_catalog.pg_depend d ON d.refobjid = t.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
         AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid AND w.ev_class <> t.oid
    JOIN pg_catalog.pg_class v ON v.oid = w.ev_class JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
  UNION ALL
  SELECT 'rule', w.rulename, pg_catalog.pg_get_ruledef(w.oid)
    FROM t JOIN pg_catalog.pg_rewrite w ON w.ev_class = t.oid
  UNION ALL
  SELECT 'trigger', g.tgname, pg_catalog.pg_get_triggerdef(g.oid) || ' ' || g.tgenabled::text
    FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
   WHERE g.tgname NOT LIKE 'summa\_migration\_%'
  UNION ALL
  SELECT 'policy', p.polname, '' FROM t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
  UNION ALL
  SELECT 'row security', t.relname, '' FROM t WHERE t.relrowsecurity OR t.relforcerowsecurity
  UNION ALL
  SELECT 'function', d.objid::regprocedure::text, ''
    FROM t JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass
         AND ((d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid)
           OR (d.refclassid = 'pg_catalog.pg_type'::regclass
               AND d.refobjid IN (t.reltype, (SELECT y.typarray FROM pg_catalog.pg_type y WHERE y.oid = t.reltype))))
  UNION ALL
  SELECT 'column of its type', format('%s.%I', a.attrelid::regclass, a.attname), ''
    FROM t JOIN pg_catalog.pg_attribute a ON NOT a.attisdropped
         AND a.atttypid IN (t.reltype, (SELECT y.typarray FROM pg_catalog.pg_type y WHERE y.oid = t.reltype))
   WHERE t.reltype <> 0
  UNION ALL
  SELECT 'inheritance', h.inhparent::regclass || ' ' || h.inhrelid::regclass, ''
    FROM t JOIN pg_catalog.pg_inherits h ON t.oid IN (h.inhparent, h.inhrelid)
  UNION ALL
  SELECT CASE WHEN r.oid IS NULL THEN 'publication of all tables'
              WHEN pg_catalog.to_jsonb(r) ->> 'prqual' IS NOT NULL OR pg_catalog.to_jsonb(r) ->> 'prattrs' IS NOT NULL
              THEN 'publication with a filter'
              WHEN NOT p.pubviaroot THEN 'publication without publish_via_partition_root' ELSE 'publication' END,
         p.pubname, ''
    FROM t JOIN pg_catalog.pg_publication_tables q ON q.schemaname = t.nspname AND q.tablename = t.relname
    JOIN pg_catalog.pg_publication p ON p.pubname = q.pubname
    LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = t.oid
  UNION ALL
  SELECT 'statistics', s.stxname, pg_catalog.pg_get_statisticsobjdef(s.oid)
    FROM t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid
  UNION ALL
  SELECT 'security label', l.provider, l.label
    FROM t JOIN pg_catalog.pg_seclabel l ON l.objoid = t.oid AND l.classoid = 'pg_catalog.pg_class'::regclass
  UNION ALL
  SELECT 'comment', coalesce(a.attname, ''), e.description
    FROM t JOIN pg_catalog.pg_description e ON e.objoid = t.oid AND e.classoid = 'pg_catalog.pg_class'::regclass
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = e.objsubid AND e.objsubid > 0
  UNION ALL
  SELECT 'grant', coalesce(a.attname, ''),
         format('%s%s TO %s%s', g.privilege_type, CASE WHEN a.attname IS NOT NULL THEN format(' (%I)', a.attname) END,
                CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
                CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM t JOIN (SELECT $1::bigint::oid AS relation, 0 AS number, c.relacl AS acl FROM t c
                 UNION ALL SELECT a.attrelid, a.attnum, a.attacl FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0) l ON l.relation = t.oid
    CROSS JOIN LATERAL pg_catalog.aclexplode(l.acl) g
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = l.number AND l.number > 0
)
SELECT kind, name::text AS name, coalesce(definition, '') AS definition FROM items ORDER BY 1, 2, 3
