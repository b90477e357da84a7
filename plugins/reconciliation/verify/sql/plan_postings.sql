-- The entries of accounts against the events that post them, in both directions. A capture posts the debit of its
-- hold, with or without a DEBIT_POSTED of its own.
WITH posted AS (
  SELECT e.aggregate_id, e.event_data->>'transactionId' AS transaction_id,
         CASE e.event_type WHEN 'CREDIT_POSTED' THEN 'CREDIT' ELSE 'DEBIT' END AS entry_type,
         sum(CASE WHEN jsonb_typeof(e.event_data->'amount') = 'number' AND e.event_type <> 'HOLD_CAPTURED'
                  THEN (e.event_data->'amount')::numeric END) AS amount,
         sum(CASE WHEN jsonb_typeof(e.event_data->'amount') = 'number' AND e.event_type = 'HOLD_CAPTURED'
                  THEN (e.event_data->'amount')::numeric END) AS captured,
         CASE WHEN count(*) = 1 THEN min(e.sequence_number) END AS version,
         (array_agg(e.id ORDER BY e.sequence_number))[1] AS id, min(e.position) AS position,
         min(e.created_at) AS created_at, min(e.event_data->>'reference') AS reference,
         min(e.event_data->>'currency') AS currency, min(e.event_data->>'accountId') AS account_id
  FROM ledger_event e
  WHERE e.aggregate_type = 'account' AND e.event_type IN ('CREDIT_POSTED', 'DEBIT_POSTED', 'HOLD_CAPTURED')
    AND :slice(e.aggregate_id)
  GROUP BY 1, 2, 3
), entered AS (
  SELECT n.account_id AS entry_account_id, n.transaction_id, n.entry_type, sum(n.amount) AS amount,
         min(n.created_at) AS created_at, min(n.currency::text) AS currency
  FROM entry_record n WHERE n.account_id IS NOT NULL AND :slice(n.account_id) GROUP BY 1, 2, 3
), comparison AS (
  SELECT coalesce(p.aggregate_id, n.entry_account_id) AS account, p.version, p.id, p.position,
         coalesce(n.transaction_id, t.id) AS transaction, c.*
  FROM posted p
  FULL JOIN entered n ON n.entry_account_id = p.aggregate_id AND n.transaction_id::text = p.transaction_id
    AND n.entry_type = p.entry_type
  LEFT JOIN transaction_record t ON t.id = n.transaction_id
  CROSS JOIN LATERAL (VALUES
    (lower(coalesce(p.entry_type, n.entry_type)), coalesce(p.amount, p.captured)::text, n.amount::text),
    ('account', p.account_id, CASE WHEN p.id IS NOT NULL THEN p.aggregate_id::text END),
    ('currency', CASE WHEN n.entry_account_id IS NOT NULL THEN p.currency END,
                 CASE WHEN p.id IS NOT NULL THEN n.currency END),
    ('time', CASE WHEN n.entry_account_id IS NOT NULL THEN p.created_at::text END,
             CASE WHEN p.id IS NOT NULL THEN n.created_at::text END),
    ('reference', CASE WHEN t.id IS NOT NULL THEN p.reference END, CASE WHEN p.id IS NOT NULL THEN t.reference END)
  ) AS c (name, said, stored)
)
SELECT 'account' AS aggregate_type, account AS aggregate_id, version::bigint, id AS event_id, position::bigint,
       account AS account_id, transaction AS transaction_id,
       string_agg(name || ' ' || coalesce(said, 'none'), ', ' ORDER BY name) AS expected,
       string_agg(name || ' ' || coalesce(stored, 'none'), ', ' ORDER BY name) AS found
FROM comparison
WHERE said IS DISTINCT FROM stored
GROUP BY account, version, id, position, transaction
ORDER BY account, version
