SELECT coalesce(sum(amount), 0)::bigint FROM hot_account_entry WHERE account_id = $1 AND status = 'processed'
