-- Schemas beside that of $1 that hold events of a ledger. By their size: rows need a right on the table.
SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'ledger_event' AND c.relkind IN ('r', 'p') AND c.oid <> $1::regclass
  AND pg_relation_size(c.oid) + coalesce((
        SELECT sum(pg_relation_size(p.relid)) FROM pg_partition_tree(c.oid) p WHERE p.isleaf), 0) > 0
