-- Parts of a rebuild write at the same time.
INSERT INTO @table AS v (id, holder_id, holder_type, currency, balance, available_balance, pending_debit, credit_balance,
       debit_balance, status, position, updated_at)
SELECT id, holder_id, holder_type, currency, credits - debits, credits - debits - held, held, credits, debits, status,
       position, updated_at
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::timestamptz[])
     AS n (id, holder_id, holder_type, currency, status, credits, debits, held, position, updated_at)
ON CONFLICT (id) DO UPDATE SET
  balance = v.balance + excluded.balance,
  available_balance = v.available_balance + excluded.available_balance,
  pending_debit = v.pending_debit + excluded.pending_debit,
  credit_balance = v.credit_balance + excluded.credit_balance,
  debit_balance = v.debit_balance + excluded.debit_balance,
  status = excluded.status,
  position = greatest(v.position, excluded.position),
  updated_at = greatest(v.updated_at, excluded.updated_at)
