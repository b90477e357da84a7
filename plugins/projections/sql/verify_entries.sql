SELECT e.id::text AS key,
       ROW(e.account_id, e.transaction_id, e.entry_type::text, e.amount, e.currency::text, e.balance_before,
           e.balance_after, t.reference::text, coalesce(t.meta_data->>'category', ''))::text AS content
FROM entry_record e JOIN transaction_record t ON t.id = e.transaction_id
WHERE e.account_id IS NOT NULL ORDER BY e.id
