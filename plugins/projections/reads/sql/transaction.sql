SELECT json_build_object('id', id, 'reference', reference, 'type', type, 'status', status, 'amount', amount,
  'currency', currency, 'sourceAccountId', source_account_id, 'destinationAccountId', destination_account_id,
  'sourceSystemAccountId', source_system_account_id, 'destinationSystemAccountId', destination_system_account_id,
  'refundedAmount', refunded_amount, 'postedAt', posted_at)::text AS data
FROM summa_read.transaction_summary_view WHERE id = $1::uuid
