-- Entries and balances that agree, made set-wise: :transactions transactions of two entries over :accounts accounts,
-- one in five against the system account. No events: only what steps 0 to 2 look at.
SELECT setseed(0.5);
CREATE TEMP TABLE plan AS
SELECT number, md5('transaction-' || number)::uuid AS id, 1 + (random() * (:accounts - 1))::integer AS source,
       1 + (random() * (:accounts - 1))::integer AS destination, 1 + (random() * 1000)::integer AS amount
FROM generate_series(1, :transactions) AS number;
UPDATE plan SET destination = destination % :accounts + 1 WHERE destination = source;

INSERT INTO account_balance (id, holder_id, holder_type, currency, allow_overdraft)
SELECT fixture.account_id(number), 'holder_' || number, 'individual', 'USD', true FROM generate_series(1, :accounts) number;

INSERT INTO transaction_record (id, reference, status, amount, currency, source_account_id, destination_account_id,
                                source_system_account_id, posted_at)
SELECT id, 'reference-' || number, 'posted', amount, 'USD',
       CASE WHEN number % 5 <> 0 THEN fixture.account_id(source) END, fixture.account_id(destination),
       CASE WHEN number % 5 = 0 THEN fixture.system_id() END, now()
FROM plan ORDER BY number;

WITH sides AS (
  SELECT number, 1 AS side, id, CASE WHEN number % 5 <> 0 THEN fixture.account_id(source) END AS account,
         'DEBIT' AS type, amount, -amount AS signed FROM plan
  UNION ALL
  SELECT number, 2, id, fixture.account_id(destination), 'CREDIT', amount, amount FROM plan
), running AS (
  SELECT *, sum(signed) OVER along AS after, 1 + row_number() OVER along AS version
  FROM sides WINDOW along AS (PARTITION BY account ORDER BY number, side)
)
INSERT INTO entry_record (transaction_id, account_id, system_account_id, entry_type, amount, currency, balance_before,
                          balance_after, is_hot_account, account_lock_version)
SELECT id, account, CASE WHEN account IS NULL THEN fixture.system_id() END, type, amount, 'USD',
       CASE WHEN account IS NOT NULL THEN after - signed END, CASE WHEN account IS NOT NULL THEN after END,
       account IS NULL, CASE WHEN account IS NOT NULL THEN version END
FROM running ORDER BY number, side;

INSERT INTO hot_account_entry (account_id, amount, entry_type, transaction_id)
SELECT system_account_id, -amount, entry_type, transaction_id FROM entry_record WHERE system_account_id IS NOT NULL;

UPDATE account_balance a SET credit_balance = credits, debit_balance = debits, balance = credits - debits, lock_version = version
FROM (SELECT account_id, coalesce(sum(amount) FILTER (WHERE entry_type = 'CREDIT'), 0) AS credits,
             coalesce(sum(amount) FILTER (WHERE entry_type = 'DEBIT'), 0) AS debits,
             max(account_lock_version) AS version
      FROM entry_record WHERE account_id IS NOT NULL GROUP BY 1) sums
WHERE sums.account_id = a.id;
