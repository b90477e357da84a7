CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $migration$
BEGIN
  INSERT INTO {target} ({columns}) VALUES ({new_columns});
  RETURN NULL;
END
$migration$
