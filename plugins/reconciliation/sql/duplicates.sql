-- Entries that are there more than once; at most $1 of them.
SELECT transaction_id::text, coalesce(account_id::text, ''), coalesce(system_account_id::text, ''),
       entry_type::text, entries, left(ids, 739), count(*) OVER ()
FROM (
  SELECT transaction_id, account_id, system_account_id, entry_type, count(*) AS entries,
         string_agg(id::text, ' ' ORDER BY id) AS ids
  FROM entry_record WHERE NOT is_hot_account
  GROUP BY transaction_id, account_id, system_account_id, entry_type HAVING count(*) > 1) twice
ORDER BY transaction_id LIMIT $1
