-- The newest first. $2, $3: the place behind which the page begins; NULL: at the newest. Entries of one event to one
-- account are in the order in which they changed its balance: first what was debited, and each from the balance before.
SELECT json_build_object(
  'entries', coalesce(json_agg(json_build_object('id', id, 'transactionId', transaction_id, 'entryType', entry_type,
     'amount', amount, 'currency', currency, 'balanceBefore', balance_before, 'balanceAfter', balance_after,
     'reference', reference, 'category', category, 'createdAt', created_at)
     ORDER BY position DESC, credit DESC, step DESC, id DESC), '[]'),
  'nextCursor', CASE WHEN count(*) = $4::bigint
     THEN 'p' || min(position) || '.' || (array_agg(id ORDER BY position, credit, step, id))[1] END)::text AS data
FROM (SELECT e.*, s.credit, s.step
      FROM summa_read.entry_record_view e, LATERAL (
        SELECT e.entry_type = 'CREDIT' AS credit,
               coalesce(CASE e.entry_type WHEN 'CREDIT' THEN e.balance_after ELSE -e.balance_after END, 0) AS step) s
      WHERE e.account_id = $1::uuid AND e.position <= coalesce($2::bigint, 9223372036854775807)
        AND ($2 IS NULL OR (e.position, s.credit, s.step, e.id) < ($2, (
          SELECT l.entry_type = 'CREDIT' FROM summa_read.entry_record_view l WHERE l.id = $3::uuid), (
          SELECT coalesce(CASE l.entry_type WHEN 'CREDIT' THEN l.balance_after ELSE -l.balance_after END, 0)
          FROM summa_read.entry_record_view l WHERE l.id = $3), $3))
      ORDER BY e.position DESC, s.credit DESC, s.step DESC, e.id DESC LIMIT $4) p
