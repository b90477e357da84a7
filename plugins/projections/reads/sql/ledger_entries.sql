-- The newest first, from the ledger. $2, $3: the place behind which the page begins; NULL: at the newest.
SELECT json_build_object(
  'entries', coalesce(json_agg(json_build_object('id', id, 'transactionId', transaction_id, 'entryType', entry_type,
     'amount', amount, 'currency', currency, 'balanceBefore', balance_before, 'balanceAfter', balance_after,
     'reference', reference, 'category', category, 'createdAt', created_at)
     ORDER BY account_lock_version DESC, id DESC), '[]'),
  'nextCursor', CASE WHEN count(*) = $4::bigint
     THEN 'v' || min(account_lock_version) || '.' || (array_agg(id ORDER BY account_lock_version, id))[1] END)::text
  AS data
FROM (SELECT e.*, t.reference, coalesce(t.meta_data->>'category', '') AS category
      FROM entry_record e JOIN transaction_record t ON t.id = e.transaction_id
      WHERE e.account_id = $1::uuid AND ($2::bigint IS NULL OR (e.account_lock_version, e.id) < ($2, $3::uuid))
      ORDER BY e.account_lock_version DESC, e.id DESC LIMIT $4) e
