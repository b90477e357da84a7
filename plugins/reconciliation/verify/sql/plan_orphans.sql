-- Events of accounts that no account_balance knows: the first of each.
SELECT 'account' AS aggregate_type, e.aggregate_id, e.sequence_number::bigint AS version, e.id AS event_id,
       e.position::bigint, e.aggregate_id AS account_id, NULL::uuid AS transaction_id,
       e.event_type AS expected, 'no such account' AS found
FROM ledger_event e
WHERE e.aggregate_type = 'account' AND e.sequence_number = 1 AND :slice(e.aggregate_id)
  AND NOT EXISTS (SELECT FROM account_balance a WHERE a.id = e.aggregate_id)
ORDER BY e.aggregate_id
