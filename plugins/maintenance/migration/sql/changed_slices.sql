-- Partitions ($1: their oids) whose rows may have been changed since they took the place of the flat table: they have not
-- the trigger of the migration.
SELECT c.relname::text AS name FROM pg_catalog.pg_class c
 WHERE c.oid = ANY ($1::bigint[]::oid[])
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = 'summa_migration_no_change'
                      AND g.tgenabled = 'A')
 ORDER BY 1
