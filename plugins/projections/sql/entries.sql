-- One probe of the index for each transaction: for an array of thousands, the planner would read the whole table.
SELECT e.id, e.transaction_id, e.account_id, e.entry_type = 'CREDIT' AS credit, e.amount, e.balance_before,
       e.balance_after, e.account_lock_version::bigint AS version
FROM unnest($1::uuid[]) AS named (id)
CROSS JOIN LATERAL (
  SELECT * FROM entry_record WHERE transaction_id = named.id AND account_id IS NOT NULL OFFSET 0
) e
