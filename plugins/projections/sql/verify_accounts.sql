SELECT id::text AS key,
       ROW(holder_id::text, holder_type::text, currency::text, balance, balance - pending_debit, pending_debit,
           credit_balance, debit_balance, status::text)::text AS content
FROM account_balance ORDER BY id
