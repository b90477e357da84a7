-- Parts of a rebuild write at the same time.
INSERT INTO @table AS v (holder_id, holder_type, currency, accounts, balance, available_balance, held, credits, debits, transactions,
       last_transaction_at, updated_at)
SELECT holder_id, holder_type, currency, accounts, credits - debits, credits - debits - held, held, credits, debits,
       transactions, last_transaction_at, updated_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::timestamptz[], $10::timestamptz[])
     AS n (holder_id, holder_type, currency, accounts, credits, debits, held, transactions, last_transaction_at,
           updated_at)
ON CONFLICT (holder_id, holder_type, currency) DO UPDATE SET
  accounts = v.accounts + excluded.accounts,
  balance = v.balance + excluded.balance,
  available_balance = v.available_balance + excluded.available_balance,
  held = v.held + excluded.held,
  credits = v.credits + excluded.credits,
  debits = v.debits + excluded.debits,
  transactions = v.transactions + excluded.transactions,
  last_transaction_at = greatest(v.last_transaction_at, excluded.last_transaction_at),
  updated_at = greatest(v.updated_at, excluded.updated_at)
