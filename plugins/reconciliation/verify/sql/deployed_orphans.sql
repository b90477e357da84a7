-- First events of accounts that no account_balance knows.
SELECT 'account' AS aggregate_type, e.aggregate_id, e.aggregate_version::bigint AS version, e.id AS event_id,
       e.sequence_number::bigint AS position, e.aggregate_id AS account_id, NULL::uuid AS transaction_id,
       e.event_type AS expected, 'no such account' AS found
FROM ledger_event e
WHERE e.aggregate_type = 'account' AND e.event_type IN ('AccountCreated', 'AccountFrozen', 'AccountUnfrozen', 'AccountClosed')
  AND :slice(e.aggregate_id) AND NOT EXISTS (SELECT FROM account_balance a WHERE a.id = e.aggregate_id)
ORDER BY e.aggregate_id, e.aggregate_version
