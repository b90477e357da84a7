CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $migration$
BEGIN
  INSERT INTO {target} ({columns}) SELECT {columns} FROM inserted;
  RETURN NULL;
END
$migration$
