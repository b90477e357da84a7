-- The event that a row `o` of outbox tells of, on the deployed layout: only account creations carry
-- event_id; the others are found by what the payload names. The first branch that finds one wins.
-- OFFSET 0 keeps the planner from copying the CASEs into every branch.
CROSS JOIN LATERAL (
  SELECT
    CASE WHEN o.document ->> 'holdId' ~ {uuid} THEN (o.document ->> 'holdId')::uuid END AS hold_id,
    CASE WHEN o.document ->> 'transactionId' ~ {uuid}
         THEN (o.document ->> 'transactionId')::uuid END AS transaction_id,
    CASE WHEN o.document ->> 'accountId' ~ {uuid}
         THEN (o.document ->> 'accountId')::uuid END AS account_id,
    CASE o.topic
      WHEN 'ledger-hold-created' THEN 'HoldCreated'
      WHEN 'ledger-hold-committed' THEN 'HoldCommitted'
      WHEN 'ledger-hold-voided' THEN 'HoldVoided'
      WHEN 'ledger-hold-expired' THEN 'HoldExpired'
      WHEN 'ledger-account-created' THEN 'AccountCreated'
      WHEN 'ledger-account-frozen' THEN 'AccountFrozen'
      WHEN 'ledger-account-unfrozen' THEN 'AccountUnfrozen'
      WHEN 'ledger-account-closed' THEN 'AccountClosed'
    END AS event_type
  OFFSET 0
) names
LEFT JOIN LATERAL (
  SELECT sequence_number AS position, correlation_id
  FROM ledger_event
  WHERE id = o.event_id
  UNION ALL
  SELECT sequence_number, correlation_id
  FROM ledger_event
  WHERE o.event_id IS NULL AND names.hold_id IS NOT NULL
    AND aggregate_type = 'hold' AND aggregate_id = names.hold_id AND event_type = names.event_type
  UNION ALL
  SELECT sequence_number, correlation_id
  FROM ledger_event
  WHERE o.event_id IS NULL AND names.hold_id IS NULL AND names.transaction_id IS NOT NULL
    AND aggregate_type = 'transaction' AND aggregate_id = names.transaction_id
    AND event_type = 'TransactionPosted'
  UNION ALL
  -- A reversal has a record of its own, but its event belongs to the transaction it reverses.
  SELECT reversed.sequence_number, reversed.correlation_id
  FROM transaction_record reversal
  JOIN ledger_event reversed
    ON reversed.aggregate_type = 'transaction' AND reversed.aggregate_id = reversal.parent_id
   AND reversed.event_type = 'TransactionReversed'
   AND reversed.event_data ->> 'reversalId' = names.transaction_id::text
  WHERE o.event_id IS NULL AND names.hold_id IS NULL AND names.transaction_id IS NOT NULL
    AND reversal.id = names.transaction_id
  UNION ALL
  SELECT sequence_number, correlation_id
  FROM ledger_event
  WHERE o.event_id IS NULL AND names.hold_id IS NULL AND names.transaction_id IS NULL
    AND aggregate_type = 'account' AND aggregate_id = names.account_id
    AND event_type = names.event_type AND created_at = o.created_at
  LIMIT 1
) e ON true
