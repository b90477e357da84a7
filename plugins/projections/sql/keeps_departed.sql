-- Whether the table $1 has partitions, and it is recorded which events have left with them.
SELECT (SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass($1))
       AND to_regclass('summa_host.partition_record') IS NOT NULL
       AND to_regclass('summa_host.partition_edge') IS NOT NULL
       AND to_regclass('summa_host.ledger_event_key') IS NOT NULL AS keeps
