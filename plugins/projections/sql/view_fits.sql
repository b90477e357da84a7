-- Whether CREATE OR REPLACE VIEW may put the table $2 behind the view $1: there is none, or its columns are the first
-- ones of the table, with the same types.
SELECT NOT EXISTS (
  SELECT FROM pg_attribute v
  LEFT JOIN pg_attribute t ON t.attrelid = ('summa_read.' || quote_ident($2))::regclass AND t.attnum = v.attnum
    AND NOT t.attisdropped
  WHERE v.attrelid = to_regclass('summa_read.' || quote_ident($1)) AND v.attnum > 0
    AND (t.attname, t.atttypid, t.atttypmod) IS DISTINCT FROM (v.attname, v.atttypid, v.atttypmod)) AS fits
