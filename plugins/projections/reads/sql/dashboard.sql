SELECT json_agg(json_build_object('currency', currency, 'accounts', accounts, 'balance', balance,
  'availableBalance', available_balance, 'held', held, 'credits', credits, 'debits', debits,
  'transactions', transactions, 'lastTransactionAt', last_transaction_at) ORDER BY currency)::text AS data
FROM summa_read.holder_dashboard_view WHERE holder_type = $1 AND holder_id = $2
