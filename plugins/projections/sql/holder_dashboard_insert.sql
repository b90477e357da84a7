INSERT INTO @table AS v (holder_id, holder_type, currency, accounts, balance, available_balance, held, credits,
                         debits, transactions, last_transaction_at, updated_at)
SELECT holder_id, holder_type, currency, accounts, credits - debits, credits - debits - held, held, credits, debits,
       transactions, last_transaction_at, updated_at
FROM (SELECT unnest($1::text[]) AS holder_id, unnest($2::text[]) AS holder_type, unnest($3::text[]) AS currency,
             unnest($4::bigint[]) AS accounts, unnest($5::bigint[]) AS credits, unnest($6::bigint[]) AS debits,
             unnest($7::bigint[]) AS held, unnest($8::bigint[]) AS transactions,
             unnest($9::timestamptz[]) AS last_transaction_at, unnest($10::timestamptz[]) AS updated_at) n
