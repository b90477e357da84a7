-- Whether the view $1 shows the table $2.
SELECT EXISTS (
  SELECT FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
  WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid = to_regclass('summa_read.' || quote_ident($2))
    AND r.ev_class = to_regclass('summa_read.' || quote_ident($1))) AS shows
