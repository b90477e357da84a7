-- The accounts that it concerns: events of the plan's layout are theirs.
SELECT account_id FROM entry_record WHERE transaction_id = $1::uuid
UNION SELECT source_account_id FROM transaction_record WHERE id = $1
