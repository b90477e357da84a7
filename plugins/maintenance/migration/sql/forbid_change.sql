CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $migration$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '55000',
    MESSAGE = format('%s of %I.%I is refused while the table is migrated to partitions', TG_OP, TG_TABLE_SCHEMA,
                     TG_TABLE_NAME),
    HINT = 'End the migration first: summa-host migrate:partition-event-store --status';
END
$migration$
