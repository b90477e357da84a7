 ON CONFLICT (id) DO UPDATE SET
  status = excluded.status, refunded_amount = excluded.refunded_amount, posted_at = excluded.posted_at,
  amount = excluded.amount, position = greatest(v.position, excluded.position),
  updated_at = greatest(v.updated_at, excluded.updated_at)
