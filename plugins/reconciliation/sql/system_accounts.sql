-- What is processed is in the balance already, and its rows are deleted after a time.
SELECT id, identifier::text, balance::bigint,
       coalesce((SELECT sum(amount) FROM hot_account_entry h
                 WHERE h.account_id = s.id AND h.status = 'pending'), 0)::bigint AS pending
FROM system_account s ORDER BY id
