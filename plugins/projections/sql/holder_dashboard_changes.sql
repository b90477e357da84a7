-- As in account_balance_changes.sql.
WITH change AS (
  SELECT * FROM unnest((SELECT $1::text[]), (SELECT $2::text[]), (SELECT $3::text[]), (SELECT $4::bigint[]),
                       (SELECT $5::bigint[]), (SELECT $6::bigint[]), (SELECT $7::bigint[]), (SELECT $8::bigint[]),
                       (SELECT $9::timestamptz[]), (SELECT $10::timestamptz[])) WITH ORDINALITY
       AS n (holder_id, holder_type, currency, accounts, credits, debits, held, transactions, last_transaction_at,
             updated_at, number)
), changed AS (
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
  FROM change n
  WHERE (v.holder_id, v.holder_type, v.currency) = (n.holder_id, n.holder_type, n.currency)
  RETURNING n.number
)
INSERT INTO @table (holder_id, holder_type, currency, accounts, balance, available_balance, held, credits, debits,
                    transactions, last_transaction_at, updated_at)
SELECT holder_id, holder_type, currency, accounts, credits - debits, credits - debits - held, held, credits, debits,
       transactions, last_transaction_at, updated_at
FROM change WHERE number NOT IN (SELECT number FROM changed)
