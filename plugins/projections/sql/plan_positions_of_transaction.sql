-- Among the events of the accounts that it concerns.
SELECT position FROM ledger_event
WHERE aggregate_id IN (SELECT account_id FROM entry_record WHERE transaction_id = $1::uuid
                       UNION SELECT source_account_id FROM transaction_record WHERE id = $1)
  AND event_data->>'transactionId' = ($1::uuid)::text
ORDER BY position
