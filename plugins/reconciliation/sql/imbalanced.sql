-- Transactions whose credits are not their debits, in one currency; at most $1 of them.
SELECT transaction_id::text, currency::text, credits::text, debits::text, entries, count(*) OVER () AS all_rows
FROM (
  SELECT transaction_id, currency,
         coalesce(sum(amount) FILTER (WHERE entry_type = 'CREDIT'), 0) AS credits,
         coalesce(sum(amount) FILTER (WHERE entry_type = 'DEBIT'), 0) AS debits,
         left(string_agg(id::text, ' ' ORDER BY id), 739) AS entries  -- twenty ids
  FROM entry_record GROUP BY transaction_id, currency) sums
WHERE credits <> debits
ORDER BY transaction_id, currency LIMIT $1
