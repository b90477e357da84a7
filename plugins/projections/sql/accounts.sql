-- One probe of the index for each account, as in entries.sql.
SELECT b.id, b.holder_id, b.holder_type, b.currency, b.status
FROM unnest($1::uuid[]) AS named (id)
CROSS JOIN LATERAL (SELECT * FROM account_balance WHERE id = named.id OFFSET 0) b
