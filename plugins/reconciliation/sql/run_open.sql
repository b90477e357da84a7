SELECT id, accounts_through, books_done, chains_done, coalesce(books_error, ''), coalesce(chains_error, ''), entries,
       accounts_checked, system_accounts_checked, events, blocks_verified, blocks_valid, imbalanced_transactions,
       duplicate_entries, order_violations, account_mismatches, system_account_mismatches, block_mismatches,
       event_mismatches
FROM summa_host.reconciliation_run WHERE finished_at IS NULL FOR UPDATE
