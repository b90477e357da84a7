-- One probe of the index for each transaction, as in entries.sql.
WITH wanted AS (
  SELECT t.*
  FROM unnest($1::uuid[]) AS named (id)
  CROSS JOIN LATERAL (SELECT * FROM transaction_record WHERE id = named.id OFFSET 0) t
), reversed AS (
  SELECT p.*
  FROM (SELECT parent_id FROM wanted WHERE parent_id IS NOT NULL EXCEPT SELECT unnest($1::uuid[])) AS named (id)
  CROSS JOIN LATERAL (SELECT * FROM transaction_record WHERE id = named.id OFFSET 0) p
)
SELECT id, reference, status, currency, amount, refunded_amount, posted_at, is_hold, is_reversal, parent_id,
       source_account_id, destination_account_id, source_system_account_id, destination_system_account_id,
       coalesce(meta_data->>'category', '') AS category,
       CASE WHEN is_reversal THEN 'refund'
            WHEN is_hold THEN 'hold'
            WHEN meta_data ? 'destinations' THEN 'multi-transfer'
            WHEN source_account_id IS NULL THEN 'credit'
            WHEN destination_account_id IS NULL THEN 'debit'
            ELSE 'transfer' END AS type
FROM (SELECT * FROM wanted UNION ALL SELECT * FROM reversed) t
