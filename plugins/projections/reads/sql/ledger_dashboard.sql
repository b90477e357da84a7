SELECT json_agg(json_build_object('currency', currency, 'accounts', accounts, 'balance', balance,
  'availableBalance', available_balance, 'held', held, 'credits', credits, 'debits', debits,
  'transactions', transactions, 'lastTransactionAt', last_transaction_at) ORDER BY currency)::text AS data
FROM (SELECT a.currency, count(*) AS accounts, sum(a.balance)::bigint AS balance,
             sum(a.balance - a.pending_debit)::bigint AS available_balance, sum(a.pending_debit)::bigint AS held,
             sum(a.credit_balance)::bigint AS credits, sum(a.debit_balance)::bigint AS debits,
             sum(e.transactions)::bigint AS transactions, max(e.last) AS last_transaction_at
      FROM account_balance a,
           LATERAL (SELECT count(DISTINCT transaction_id) AS transactions, max(created_at) AS last
                    FROM entry_record WHERE account_id = a.id) e
      WHERE a.holder_type = $1 AND a.holder_id = $2 GROUP BY a.currency) h
