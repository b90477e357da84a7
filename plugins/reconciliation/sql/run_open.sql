SELECT id, accounts_through, books_done, chains_done, coalesce(books_error, '') AS books_error,
       coalesce(chains_error, '') AS chains_error, entries,
       accounts_checked, system_accounts_checked, events, blocks_verified, blocks_valid,
       -- What was found, by the names of the parts.
       imbalanced_transactions AS transactions_found, duplicate_entries AS duplicates_found,
       order_violations AS order_found, account_mismatches AS accounts_found,
       system_account_mismatches AS system_accounts_found, block_mismatches AS blocks_found,
       event_mismatches AS events_found
FROM summa_host.reconciliation_run WHERE finished_at IS NULL FOR UPDATE
