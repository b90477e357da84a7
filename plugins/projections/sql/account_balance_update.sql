-- (SELECT $1): of the result of a sub-SELECT, the planner expects ten elements, and probes the index for each. Of an
-- array that it sees, it counts them, and would read the whole table.
UPDATE @table v SET
  balance = v.balance + n.credits - n.debits,
  available_balance = v.available_balance + n.credits - n.debits - n.held,
  pending_debit = v.pending_debit + n.held,
  credit_balance = v.credit_balance + n.credits,
  debit_balance = v.debit_balance + n.debits,
  status = n.status,
  position = greatest(v.position, n.position),
  updated_at = greatest(v.updated_at, n.updated_at)
FROM (SELECT unnest((SELECT $1::uuid[])) AS id, unnest((SELECT $5::text[])) AS status,
             unnest((SELECT $6::bigint[])) AS credits, unnest((SELECT $7::bigint[])) AS debits,
             unnest((SELECT $8::bigint[])) AS held, unnest((SELECT $9::bigint[])) AS position,
             unnest((SELECT $10::timestamptz[])) AS updated_at) n
WHERE v.id = n.id
