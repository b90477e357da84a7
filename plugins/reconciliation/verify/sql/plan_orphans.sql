-- Events of accounts that no account_balance knows: the first of each.
SELECT 'account', e.aggregate_id, e.sequence_number::bigint, e.id, e.position::bigint, e.aggregate_id, NULL::uuid,
       e.event_type, 'no such account'
FROM ledger_event e
WHERE e.aggregate_type = 'account' AND e.sequence_number = 1 AND :slice(e.aggregate_id)
  AND NOT EXISTS (SELECT FROM account_balance a WHERE a.id = e.aggregate_id)
ORDER BY e.aggregate_id
