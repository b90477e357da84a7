-- Whether one of these transactions ($1) has not ended. A transaction that was prepared meanwhile has another name here:
-- every prepared one counts that may have written entries.
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_locks l
  WHERE l.virtualtransaction = ANY (string_to_array($1, ' '))
     OR (l.pid IS NULL AND l.locktype = 'relation'
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
         AND l.relation IN (SELECT relid::oid FROM pg_catalog.pg_partition_tree('entry_record'::regclass)
                            UNION SELECT 'entry_record'::regclass::oid)))
