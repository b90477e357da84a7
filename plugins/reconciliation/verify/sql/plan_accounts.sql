-- account_balance against the events of the account: who it belongs to, since when, and its status. What only an
-- event in a detached partition tells is not compared; away: the first and the last version there, 0: none.
WITH account AS MATERIALIZED (
  SELECT a.* FROM account_balance a WHERE :slice(a.id)
), comparison AS (
  SELECT a.id AS account_id, e.version, e.event_id, e.position, c.*
  FROM account a
  CROSS JOIN LATERAL (:detached('account', a.id)) away
  LEFT JOIN LATERAL (
    SELECT v.sequence_number AS version, v.id AS event_id, v.position, v.event_data AS data, v.created_at
    FROM ledger_event v
    WHERE v.aggregate_type = 'account' AND v.aggregate_id = a.id AND v.event_type = 'ACCOUNT_OPENED'
    ORDER BY v.sequence_number LIMIT 1) e ON true
  LEFT JOIN LATERAL (
    SELECT v.event_type FROM ledger_event v
    WHERE v.aggregate_type = 'account' AND v.aggregate_id = a.id
      AND v.event_type IN ('ACCOUNT_FROZEN', 'ACCOUNT_UNFROZEN', 'ACCOUNT_CLOSED')
      AND (away.last_version = 0 OR v.sequence_number > away.last_version)
    ORDER BY v.sequence_number DESC LIMIT 1) l ON true
  CROSS JOIN LATERAL (VALUES
    ('opened', CASE WHEN e.event_id IS NOT NULL THEN e.version::text WHEN away.first_version = 1 THEN 'account'
                     ELSE 'no ACCOUNT_OPENED' END,
               CASE WHEN e.event_id IS NULL THEN 'account' ELSE '1' END),
    ('holder', e.data->>'holderId', CASE WHEN e.event_id IS NOT NULL THEN a.holder_id END),
    ('holder type', e.data->>'holderType', CASE WHEN e.event_id IS NOT NULL THEN a.holder_type END),
    ('currency', e.data->>'currency', CASE WHEN e.event_id IS NOT NULL THEN a.currency::text END),
    ('time', e.created_at::text, CASE WHEN e.event_id IS NOT NULL THEN a.created_at::text END),
    ('status', CASE WHEN l.event_type = 'ACCOUNT_FROZEN' THEN 'frozen' WHEN l.event_type = 'ACCOUNT_CLOSED' THEN 'closed'
                    WHEN l.event_type IS NULL AND away.last_version > 0 THEN a.status ELSE 'active' END,
               a.status)
  ) AS c (name, said, stored)
)
SELECT 'account' AS aggregate_type, account_id AS aggregate_id, version::bigint, event_id, position::bigint, account_id,
       NULL::uuid AS transaction_id,
       string_agg(name || ' ' || coalesce(said, 'none'), ', ' ORDER BY name) AS expected,
       string_agg(name || ' ' || coalesce(stored, 'none'), ', ' ORDER BY name) AS found
FROM comparison
WHERE said IS DISTINCT FROM stored
GROUP BY account_id, version, event_id, position
ORDER BY account_id
