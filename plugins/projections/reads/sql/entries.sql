-- The newest first. $2, $3: the place behind which the page begins; NULL: at the newest.
SELECT json_build_object(
  'entries', coalesce(json_agg(json_build_object('id', id, 'transactionId', transaction_id, 'entryType', entry_type,
     'amount', amount, 'currency', currency, 'balanceBefore', balance_before, 'balanceAfter', balance_after,
     'reference', reference, 'category', category, 'createdAt', created_at)
     ORDER BY position DESC, id DESC), '[]'),
  'nextCursor', CASE WHEN count(*) = $4::bigint
     THEN 'p' || min(position) || '.' || (array_agg(id ORDER BY position, id))[1] END)::text AS data
FROM (SELECT * FROM summa_read.entry_record_view
      WHERE account_id = $1::uuid AND ($2::bigint IS NULL OR (position, id) < ($2, $3::uuid))
      ORDER BY position DESC, id DESC LIMIT $4) e
