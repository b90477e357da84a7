-- Entries that are there more than once and are no sound repeats; at most $1 of them. A repeat is sound when the record
-- itself names the account so often (a transfer or hold with several destinations may name one twice, a reversal takes
-- back from each), every entry of the account follows on the one before, and the sums are those of the record.
WITH twice AS (
  SELECT transaction_id
  FROM entry_record WHERE NOT is_hot_account
  GROUP BY transaction_id, account_id, system_account_id, entry_type HAVING count(*) > 1
), followed AS (  -- all entries of the transactions in question
  SELECT e.id, e.transaction_id, e.account_id, e.system_account_id, e.entry_type, e.amount, e.is_hot_account,
         e.account_id IS NULL OR coalesce(
           e.balance_after - e.balance_before = CASE e.entry_type WHEN 'CREDIT' THEN e.amount ELSE -e.amount END
           AND e.account_lock_version > lag(e.account_lock_version, 1, -1) OVER along
           AND e.balance_before = lag(e.balance_after, 1, e.balance_before) OVER along, false) AS follows
  FROM entry_record e WHERE e.transaction_id IN (SELECT transaction_id FROM twice)
  WINDOW along AS (PARTITION BY e.transaction_id, e.account_id ORDER BY e.account_lock_version, e.id)
), entry AS (
  SELECT *, bool_and(follows) OVER (PARTITION BY transaction_id, account_id) AS account_follows FROM followed
), moved AS (  -- of each transaction
  SELECT transaction_id, sum(amount) FILTER (WHERE entry_type = 'CREDIT') AS credits,
         sum(amount) FILTER (WHERE entry_type = 'DEBIT') AS debits
  FROM entry GROUP BY transaction_id
), suspect AS (
  SELECT transaction_id, account_id, system_account_id, entry_type, count(*) AS entries, sum(amount) AS total,
         bool_and(account_follows) AS follow, string_agg(id::text, ' ' ORDER BY id) AS ids
  FROM entry WHERE NOT is_hot_account
  GROUP BY transaction_id, account_id, system_account_id, entry_type HAVING count(*) > 1
), place AS (  -- what the record says of destinations; of a reversal: what that of the original says
  SELECT r.id AS transaction_id, r.is_reversal, coalesce(r.committed_amount, r.amount) AS amount,
         coalesce(own.destinations, original.destinations, told.destinations) AS destinations
  FROM transaction_record r
  CROSS JOIN LATERAL (SELECT CASE jsonb_typeof(r.meta_data->'destinations') WHEN 'array'
                             THEN r.meta_data->'destinations' END AS destinations) own
  LEFT JOIN LATERAL (SELECT CASE jsonb_typeof(o.meta_data->'destinations') WHEN 'array'
                            THEN o.meta_data->'destinations' END AS destinations
                     FROM transaction_record o WHERE r.is_reversal AND o.id = r.parent_id) original ON true
  LEFT JOIN LATERAL (SELECT e.event_data->'destinations' AS destinations FROM {events} e
                     WHERE own.destinations IS NULL AND original.destinations IS NULL
                       AND e.aggregate_type = 'transaction' AND e.aggregate_id IN (r.id, r.parent_id)
                       AND jsonb_typeof(e.event_data->'destinations') = 'array'
                     ORDER BY e.aggregate_id = r.id DESC, e.{version} LIMIT 1) told ON true
  WHERE r.id IN (SELECT transaction_id FROM twice)
), named AS (
  SELECT t.transaction_id, t.account_id, t.system_account_id, t.entry_type,
         count(*) FILTER (WHERE d.ours) AS times, sum(d.amount) FILTER (WHERE d.ours) AS total,
         sum(d.amount) AS total_of_all
  FROM suspect t
  JOIN place p ON p.transaction_id = t.transaction_id AND (t.entry_type = 'CREDIT' OR p.is_reversal)
  LEFT JOIN account_balance a ON a.id = t.account_id
  LEFT JOIN system_account s ON s.id = t.system_account_id
  CROSS JOIN LATERAL (
    SELECT name IN (t.account_id::text, a.holder_id, t.system_account_id::text, s.identifier)
           -- An account that has no row any more is the one whose name nobody else has.
           OR (a.id IS NULL AND s.id IS NULL
               AND NOT EXISTS (SELECT FROM account_balance b WHERE b.holder_id = name)) AS ours,
           CASE jsonb_typeof(v->'amount') WHEN 'number' THEN (v->>'amount')::numeric END AS amount
    FROM jsonb_array_elements(p.destinations) AS v
    CROSS JOIN LATERAL (
      SELECT CASE jsonb_typeof(v) WHEN 'string' THEN v #>> '{}'
                  ELSE coalesce(v->>'accountId', v->>'systemAccountId', v->>'holderId', v->>'systemAccount',
                                v->>'identifier') END) AS called (name)) d
  GROUP BY 1, 2, 3, 4
), judged AS (
  SELECT t.*, greatest(n.times, told.times) AS times,
         coalesce(t.follow AND (
           (t.entries <= n.times AND n.total = t.total AND p.amount = n.total_of_all)
           -- Shares of a part, or names without amounts: then the whole must be right.
           OR (m.credits = p.amount AND m.debits = p.amount AND (
                 (t.entries <= n.times AND p.amount IS DISTINCT FROM n.total_of_all)
                 OR (t.entries = told.times AND t.total = told.total)))), false) AS sound
  FROM suspect t
  JOIN moved m ON m.transaction_id = t.transaction_id
  LEFT JOIN place p ON p.transaction_id = t.transaction_id
  LEFT JOIN named n ON n.transaction_id = t.transaction_id AND n.entry_type = t.entry_type
    AND n.account_id IS NOT DISTINCT FROM t.account_id
    AND n.system_account_id IS NOT DISTINCT FROM t.system_account_id
  CROSS JOIN LATERAL (  -- nothing names destinations: the account's own events, of a ledger with one for each entry
    SELECT count(*) AS times,
           sum(CASE jsonb_typeof(e.event_data->'amount') WHEN 'number' THEN (e.event_data->>'amount')::numeric END)
             AS total
    FROM {events} e
    WHERE p.destinations IS NULL AND e.aggregate_type = 'account' AND e.aggregate_id = t.account_id
      AND e.event_type = t.entry_type || '_POSTED' AND e.event_data->>'transactionId' = t.transaction_id::text) told
)
SELECT transaction_id::text, coalesce(account_id::text, '') AS account_id,
       coalesce(system_account_id::text, '') AS system_account_id, entry_type::text, entries,
       left(ids, 739) AS ids, count(*) OVER () AS all_rows, coalesce(times, 0)::bigint AS times
FROM judged WHERE NOT sound
ORDER BY transaction_id LIMIT $1
