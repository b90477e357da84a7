-- The newest entries of the account $1, at most $2, for people to read. In the order of entries.sql.
SELECT coalesce(json_agg(json_build_object(
         'time', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'reference', reference,
         'category', category, 'debit', CASE WHEN NOT credit THEN amount END, 'credit', CASE WHEN credit THEN amount END,
         'balance', balance_after) ORDER BY position DESC, credit DESC, step DESC, id DESC), '[]')::text AS data
FROM (SELECT e.*, s.credit, s.step
      FROM summa_read.entry_record_view e, LATERAL (
        SELECT e.entry_type = 'CREDIT' AS credit,
               coalesce(CASE e.entry_type WHEN 'CREDIT' THEN e.balance_after ELSE -e.balance_after END, 0) AS step) s
      WHERE e.account_id = $1::uuid
      ORDER BY e.position DESC, s.credit DESC, s.step DESC, e.id DESC LIMIT $2) p
