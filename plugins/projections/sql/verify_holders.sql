SELECT a.holder_id || chr(31) || a.holder_type || chr(31) || a.currency::text AS key,
       ROW(count(*), sum(a.balance)::bigint, sum(a.balance - a.pending_debit)::bigint, sum(a.pending_debit)::bigint,
           sum(a.credit_balance)::bigint, sum(a.debit_balance)::bigint, sum(coalesce(e.transactions, 0))::bigint)::text
         AS content
FROM account_balance a
LEFT JOIN (SELECT account_id, count(DISTINCT transaction_id) AS transactions FROM entry_record
           WHERE account_id IS NOT NULL GROUP BY account_id) e ON e.account_id = a.id
GROUP BY a.holder_id, a.holder_type, a.currency
ORDER BY (a.holder_id || chr(31) || a.holder_type || chr(31) || a.currency::text) COLLATE "C"
