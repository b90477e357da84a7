-- What applications have of ledger_event besides its rows, one line each. It must be the same before and after a
-- migration to partitions, but for the table behind a foreign key to it, which is the guard's afterwards.
WITH t AS (SELECT * FROM pg_class WHERE oid = 'ledger_event'::regclass), lines AS (
  SELECT format('owner %s', pg_get_userbyid(relowner)) AS line FROM t
  UNION ALL
  SELECT format('comment %s', obj_description(oid)) FROM t
  UNION ALL
  SELECT format('grant %s to %s by %s %s', g.privilege_type, g.grantee::regrole, g.grantor::regrole, g.is_grantable)
  FROM t, aclexplode(relacl) g
  UNION ALL
  SELECT format('grant %s (%s) to %s', g.privilege_type, a.attname, g.grantee::regrole)
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid, aclexplode(a.attacl) g
  UNION ALL
  SELECT format('column %s %s %s default %s, from %s', attname, format_type(atttypid, atttypmod), attnotnull,
                pg_get_expr(adbin, adrelid), pg_get_serial_sequence('ledger_event', attname))
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND attnum > 0 AND NOT attisdropped
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  UNION ALL
  SELECT format('view %s owned by %s %s %s: %s', v.oid::regclass, pg_get_userbyid(v.relowner), v.relacl, v.reloptions,
                pg_get_viewdef(v.oid))
  FROM pg_class v WHERE v.relkind = 'v' AND EXISTS (
    SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid, t
    WHERE w.ev_class = v.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid)
  UNION ALL
  SELECT format('index %s %s', i.relname, regexp_replace(pg_get_indexdef(i.oid), '^.* USING', 'USING'))
  FROM t JOIN pg_index x ON x.indrelid = t.oid AND NOT x.indisunique JOIN pg_class i ON i.oid = x.indexrelid
  UNION ALL
  SELECT format('reference %s %s (%s) validated %s', k.conrelid::regclass, conname, attname, convalidated)
  FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ALL (k.conkey)
  WHERE contype = 'f' AND conparentid = 0
    AND confrelid IN ('ledger_event'::regclass, to_regclass('summa_host.ledger_event_key'))
)
SELECT line FROM lines ORDER BY line;
