SELECT id, holder_id, holder_type, currency, status FROM account_balance WHERE id = ANY ($1)
