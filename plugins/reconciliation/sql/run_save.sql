UPDATE summa_host.reconciliation_run SET
  accounts_through = $2, books_done = $3, chains_done = $4, books_error = $5, chains_error = $6, entries = $7,
  accounts_checked = $8, system_accounts_checked = $9, events = $10, blocks_verified = $11, blocks_valid = $12,
  imbalanced_transactions = $13, duplicate_entries = $14, order_violations = $15, account_mismatches = $16,
  system_account_mismatches = $17, block_mismatches = $18, event_mismatches = $19,
  entries_until = coalesce(entries_until, $20)
WHERE id = $1
