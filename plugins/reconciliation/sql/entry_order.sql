-- Where the entries of these accounts, along their versions, do not follow on one another. By the order of locks
-- and not of created_at, which is when a transaction began and decides only between entries of one version.
SELECT account_id, id, entry_type::text,
       to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created,
       version::bigint, previous_version::bigint, why,
       CASE why WHEN 'twice' THEN 'one entry of this version'
                WHEN 'gap' THEN 'balance_before ' || previous_after
                WHEN 'amount' THEN 'balance_after ' || before + signed
                ELSE 'balance ' || after END AS expected,
       CASE why WHEN 'twice' THEN 'two'
                WHEN 'gap' THEN 'balance_before ' || before
                WHEN 'amount' THEN 'balance_after ' || after
                ELSE 'balance ' || balance END AS found
FROM (
  SELECT e.*, a.balance,
         CASE WHEN e.version = e.previous_version THEN 'twice'
              WHEN e.before <> e.previous_after THEN 'gap'
              WHEN e.after <> e.before + e.signed THEN 'amount'
              WHEN e.last AND e.after <> a.balance THEN 'end' END AS why
  FROM (
    SELECT account_id, id, entry_type, created_at, account_lock_version AS version,
           balance_before AS before, balance_after AS after,
           CASE entry_type WHEN 'CREDIT' THEN amount WHEN 'DEBIT' THEN -amount ELSE 0 END AS signed,
           lag(account_lock_version) OVER along AS previous_version,
           lag(balance_after) OVER along AS previous_after,
           lead(id) OVER along IS NULL AS last
    FROM entry_record
    WHERE account_id = ANY ($1) AND account_lock_version IS NOT NULL
      AND balance_before IS NOT NULL AND balance_after IS NOT NULL
    WINDOW along AS (PARTITION BY account_id ORDER BY account_lock_version, created_at, id)) e
  JOIN account_balance a ON a.id = e.account_id) judged
WHERE why IS NOT NULL
ORDER BY account_id, version
LIMIT 10000
