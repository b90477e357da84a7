 ON CONFLICT (holder_id, holder_type, currency) DO UPDATE SET
  accounts = v.accounts + excluded.accounts,
  balance = v.balance + excluded.balance,
  available_balance = v.available_balance + excluded.available_balance,
  held = v.held + excluded.held,
  credits = v.credits + excluded.credits,
  debits = v.debits + excluded.debits,
  transactions = v.transactions + excluded.transactions,
  last_transaction_at = greatest(v.last_transaction_at, excluded.last_transaction_at),
  updated_at = greatest(v.updated_at, excluded.updated_at)
