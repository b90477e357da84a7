SELECT sequence_number AS position FROM ledger_event
WHERE aggregate_id = $1::uuid OR aggregate_id = (SELECT parent_id FROM transaction_record WHERE id = $1)
ORDER BY sequence_number
