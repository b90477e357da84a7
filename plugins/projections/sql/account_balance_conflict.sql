 ON CONFLICT (id) DO UPDATE SET
  balance = v.balance + excluded.balance,
  available_balance = v.available_balance + excluded.available_balance,
  pending_debit = v.pending_debit + excluded.pending_debit,
  credit_balance = v.credit_balance + excluded.credit_balance,
  debit_balance = v.debit_balance + excluded.debit_balance,
  status = excluded.status,
  position = greatest(v.position, excluded.position),
  updated_at = greatest(v.updated_at, excluded.updated_at)
