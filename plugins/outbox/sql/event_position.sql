-- The event that a row `o` of outbox tells of, on the deployed layout: only account creations carry
-- event_id; the others are found by what the payload names (contracts, Outbox). The first branch that
-- finds one wins. OFFSET 0 keeps the planner from repeating the expressions in every branch.
-- {uuid_check}: nothing, or the full check of the hexadecimal digits, which costs as much as everything else
-- and is only used after a cast failed (a row that is not Summa's own).
CROSS JOIN LATERAL (
  SELECT kind.aggregate_type,
         CASE
           WHEN kind.id LIKE '________-____-____-____-____________' {uuid_check} THEN kind.id::uuid
         END AS aggregate_id,
         CASE o.topic
           WHEN 'ledger-hold-created' THEN 'HoldCreated'
           WHEN 'ledger-hold-committed' THEN 'HoldCommitted'
           WHEN 'ledger-hold-voided' THEN 'HoldVoided'
           WHEN 'ledger-hold-expired' THEN 'HoldExpired'
           WHEN 'ledger-account-created' THEN 'AccountCreated'
           WHEN 'ledger-account-frozen' THEN 'AccountFrozen'
           WHEN 'ledger-account-unfrozen' THEN 'AccountUnfrozen'
           WHEN 'ledger-account-closed' THEN 'AccountClosed'
           ELSE 'TransactionPosted'
         END AS event_type
  FROM (
    SELECT CASE
             WHEN hold_id IS NOT NULL THEN 'hold'
             WHEN transaction_id IS NOT NULL THEN 'transaction'
             ELSE 'account'
           END AS aggregate_type,
           COALESCE(hold_id, transaction_id, o.document ->> 'accountId') AS id
    FROM (SELECT o.document ->> 'holdId' AS hold_id,
                 o.document ->> 'transactionId' AS transaction_id OFFSET 0) named
    OFFSET 0
  ) kind
  OFFSET 0
) told
LEFT JOIN LATERAL (
  SELECT sequence_number AS position, correlation_id
  FROM ledger_event
  WHERE id = o.event_id
  UNION ALL
  -- An account can be frozen more than once: the row and its event share the start of their transaction.
  SELECT sequence_number, correlation_id
  FROM ledger_event
  WHERE o.event_id IS NULL
    AND aggregate_type = told.aggregate_type AND aggregate_id = told.aggregate_id
    AND event_type = told.event_type
    AND (told.aggregate_type <> 'account' OR created_at = o.created_at)
  UNION ALL
  -- A reversal has a record of its own, but its event belongs to the transaction it reverses.
  SELECT reversed.sequence_number, reversed.correlation_id
  FROM transaction_record reversal
  JOIN ledger_event reversed
    ON reversed.aggregate_type = 'transaction' AND reversed.aggregate_id = reversal.parent_id
   AND reversed.event_type = 'TransactionReversed'
   AND reversed.event_data ->> 'reversalId' = told.aggregate_id::text
  WHERE o.event_id IS NULL AND told.aggregate_type = 'transaction'
    AND reversal.id = told.aggregate_id
  LIMIT 1
) e ON true
