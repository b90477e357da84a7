-- First events of accounts that no account_balance knows.
SELECT 'account', e.aggregate_id, e.aggregate_version::bigint, e.id, e.sequence_number::bigint, e.aggregate_id, NULL::uuid,
       e.event_type, 'no such account'
FROM ledger_event e
WHERE e.aggregate_type = 'account' AND e.event_type IN ('AccountCreated', 'AccountFrozen', 'AccountUnfrozen', 'AccountClosed')
  AND :slice(e.aggregate_id) AND NOT EXISTS (SELECT FROM account_balance a WHERE a.id = e.aggregate_id)
ORDER BY e.aggregate_id, e.aggregate_version
