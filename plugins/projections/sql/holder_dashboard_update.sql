-- (SELECT $1): as in account_balance_update.sql.
UPDATE @table v SET
  accounts = v.accounts + n.accounts,
  balance = v.balance + n.credits - n.debits,
  available_balance = v.available_balance + n.credits - n.debits - n.held,
  held = v.held + n.held,
  credits = v.credits + n.credits,
  debits = v.debits + n.debits,
  transactions = v.transactions + n.transactions,
  last_transaction_at = greatest(v.last_transaction_at, n.last_transaction_at),
  updated_at = greatest(v.updated_at, n.updated_at)
FROM (SELECT unnest((SELECT $1::text[])) AS holder_id, unnest((SELECT $2::text[])) AS holder_type,
             unnest((SELECT $3::text[])) AS currency, unnest((SELECT $4::bigint[])) AS accounts,
             unnest((SELECT $5::bigint[])) AS credits, unnest((SELECT $6::bigint[])) AS debits,
             unnest((SELECT $7::bigint[])) AS held, unnest((SELECT $8::bigint[])) AS transactions,
             unnest((SELECT $9::timestamptz[])) AS last_transaction_at,
             unnest((SELECT $10::timestamptz[])) AS updated_at) n
WHERE (v.holder_id, v.holder_type, v.currency) = (n.holder_id, n.holder_type, n.currency)
