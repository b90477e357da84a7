-- unnest() as a column: in FROM, each of them would first be written to a store of its own.
INSERT INTO @table (id, account_id, transaction_id, entry_type, amount, currency, balance_before, balance_after,
                    reference, category, position, created_at)
SELECT unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::uuid[]), unnest($4::text[]), unnest($5::bigint[]),
       unnest($6::text[]), unnest($7::bigint[]), unnest($8::bigint[]), unnest($9::text[]), unnest($10::text[]),
       unnest($11::bigint[]), unnest($12::timestamptz[])
