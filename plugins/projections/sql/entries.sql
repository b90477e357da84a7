SELECT id, transaction_id, account_id, entry_type = 'CREDIT' AS credit, amount, balance_before, balance_after
FROM entry_record WHERE transaction_id = ANY ($1) AND account_id IS NOT NULL
ORDER BY transaction_id, account_id, account_lock_version, id
