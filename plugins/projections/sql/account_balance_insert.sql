INSERT INTO @table AS v (id, holder_id, holder_type, currency, balance, available_balance, pending_debit,
                         credit_balance, debit_balance, status, position, updated_at)
SELECT id, holder_id, holder_type, currency, credits - debits, credits - debits - held, held, credits, debits, status,
       position, updated_at
FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::text[]) AS holder_id, unnest($3::text[]) AS holder_type,
             unnest($4::text[]) AS currency, unnest($5::text[]) AS status, unnest($6::bigint[]) AS credits,
             unnest($7::bigint[]) AS debits, unnest($8::bigint[]) AS held, unnest($9::bigint[]) AS position,
             unnest($10::timestamptz[]) AS updated_at) n
