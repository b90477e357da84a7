-- Whether the table of the remainders exists. By the catalog: to_regclass() fails for who may not use the schema.
SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'summa_host' AND c.relname = 'partition_remainder'
                 AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                 AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))
