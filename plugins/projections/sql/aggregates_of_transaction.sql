-- Its own events, and those of what it reverses.
SELECT $1::uuid
UNION SELECT parent_id FROM transaction_record WHERE id = $1 AND parent_id IS NOT NULL
