SELECT json_build_object('id', id, 'holderId', holder_id, 'holderType', holder_type, 'currency', currency,
  'balance', balance, 'availableBalance', balance - pending_debit, 'pendingDebit', pending_debit,
  'creditBalance', credit_balance, 'debitBalance', debit_balance, 'status', status)::text AS data
FROM account_balance WHERE id = $1::uuid
