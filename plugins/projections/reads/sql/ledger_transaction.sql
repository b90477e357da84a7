SELECT json_build_object('id', id, 'reference', reference,
  'type', CASE WHEN is_reversal THEN 'refund'
               WHEN is_hold THEN 'hold'
               WHEN meta_data ? 'destinations' THEN 'multi-transfer'
               WHEN source_account_id IS NULL THEN 'credit'
               WHEN destination_account_id IS NULL THEN 'debit'
               ELSE 'transfer' END,
  'status', status, 'amount', amount,
  'currency', currency, 'sourceAccountId', source_account_id, 'destinationAccountId', destination_account_id,
  'sourceSystemAccountId', source_system_account_id, 'destinationSystemAccountId', destination_system_account_id,
  'refundedAmount', refunded_amount, 'postedAt', posted_at)::text AS data
FROM transaction_record WHERE id = $1::uuid
