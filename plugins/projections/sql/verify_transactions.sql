SELECT id::text AS key,
       ROW(reference::text,
           CASE WHEN is_reversal THEN 'refund'
                WHEN is_hold THEN 'hold'
                WHEN meta_data ? 'destinations' THEN 'multi-transfer'
                WHEN source_account_id IS NULL THEN 'credit'
                WHEN destination_account_id IS NULL THEN 'debit'
                ELSE 'transfer' END,
           status::text, amount, currency::text, source_account_id, destination_account_id, source_system_account_id,
           destination_system_account_id, refunded_amount, posted_at)::text AS content
FROM transaction_record ORDER BY id
