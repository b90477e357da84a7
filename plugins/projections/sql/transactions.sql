-- One probe of the index for each transaction, as in entries.sql.
SELECT t.id, t.reference, t.status, t.currency, t.amount, t.refunded_amount, t.posted_at, t.is_hold, t.is_reversal,
       t.parent_id, t.source_account_id, t.destination_account_id, t.source_system_account_id,
       t.destination_system_account_id, coalesce(t.meta_data->>'category', '') AS category,
       CASE WHEN t.is_reversal THEN 'refund'
            WHEN t.is_hold THEN 'hold'
            WHEN t.meta_data ? 'destinations' THEN 'multi-transfer'
            WHEN t.source_account_id IS NULL THEN 'credit'
            WHEN t.destination_account_id IS NULL THEN 'debit'
            ELSE 'transfer' END AS type
FROM unnest($1::uuid[]) AS named (id)
CROSS JOIN LATERAL (SELECT * FROM transaction_record WHERE id = named.id OFFSET 0) t
