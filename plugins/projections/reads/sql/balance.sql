SELECT json_build_object('id', id, 'holderId', holder_id, 'holderType', holder_type, 'currency', currency,
  'balance', balance, 'availableBalance', available_balance, 'pendingDebit', pending_debit,
  'creditBalance', credit_balance, 'debitBalance', debit_balance, 'status', status)::text AS data
FROM summa_read.account_balance_view WHERE id = $1::uuid
