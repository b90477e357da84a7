 (id, account_id, transaction_id, entry_type, amount, currency, balance_before, balance_after, reference, category,
  position, created_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::bigint[],
                     $8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::timestamptz[])
