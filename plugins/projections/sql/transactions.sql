WITH wanted AS (
  SELECT * FROM transaction_record WHERE id = ANY ($1)
), reversed AS (
  SELECT p.* FROM transaction_record p
  WHERE p.id IN (SELECT parent_id FROM wanted WHERE parent_id IS NOT NULL) AND p.id <> ALL ($1)
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
