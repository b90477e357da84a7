-- account_balance against the events of the account: who it belongs to, since when, and its status. What only an
-- event in a detached partition tells is not compared; away: the first and the last version there, 0: none.
WITH account AS MATERIALIZED (
  SELECT a.* FROM account_balance a WHERE :slice(a.id)
), comparison AS (
  SELECT a.id AS account_id, e.version, e.event_id, e.position, c.*
  FROM account a
  CROSS JOIN LATERAL (:detached('account', a.id)) away
  LEFT JOIN LATERAL (
    SELECT v.aggregate_version AS version, v.id AS event_id, v.sequence_number AS position, v.event_data AS data,
           v.created_at
    FROM ledger_event v
    WHERE v.aggregate_type = 'account' AND v.aggregate_id = a.id AND v.event_type = 'AccountCreated'
    ORDER BY v.aggregate_version LIMIT 1) e ON true
  LEFT JOIN LATERAL (
    SELECT v.event_type, v.event_data AS data
    FROM ledger_event v
    WHERE v.aggregate_type = 'account' AND v.aggregate_id = a.id
      AND v.event_type IN ('AccountFrozen', 'AccountUnfrozen', 'AccountClosed')
      AND (away.last_version = 0 OR v.aggregate_version > away.last_version)
    ORDER BY v.aggregate_version DESC LIMIT 1) l ON true
  CROSS JOIN LATERAL (VALUES
    ('created', CASE WHEN e.event_id IS NOT NULL THEN e.version::text WHEN away.first_version = 1 THEN 'account'
                     ELSE 'no AccountCreated' END,
                CASE WHEN e.event_id IS NULL THEN 'account' ELSE '1' END),
    ('holder', e.data->>'holderId', CASE WHEN e.event_id IS NOT NULL THEN a.holder_id END),
    ('holder type', e.data->>'holderType', CASE WHEN e.event_id IS NOT NULL THEN a.holder_type END),
    ('currency', e.data->>'currency', CASE WHEN e.event_id IS NOT NULL THEN a.currency::text END),
    ('overdraft', e.data->>'allowOverdraft', CASE WHEN e.event_id IS NOT NULL THEN a.allow_overdraft::text END),
    ('time', e.created_at::text, CASE WHEN e.event_id IS NOT NULL THEN a.created_at::text END),
    ('status', CASE WHEN l.event_type = 'AccountFrozen' THEN 'frozen' WHEN l.event_type = 'AccountClosed' THEN 'closed'
                    WHEN l.event_type IS NULL AND away.last_version > 0 THEN a.status ELSE 'active' END,
               a.status),
    ('frozen by', CASE WHEN l.event_type = 'AccountFrozen' THEN l.data->>'frozenBy' END,
                  CASE WHEN l.event_type = 'AccountFrozen' THEN a.frozen_by END),
    ('freeze reason', CASE WHEN l.event_type = 'AccountFrozen' THEN l.data->>'reason' END,
                      CASE WHEN l.event_type = 'AccountFrozen' THEN a.freeze_reason END),
    ('closed by', CASE WHEN l.event_type = 'AccountClosed' THEN l.data->>'closedBy' END,
                  CASE WHEN l.event_type = 'AccountClosed' THEN a.closed_by END),
    ('closure reason', CASE WHEN l.event_type = 'AccountClosed' THEN l.data->>'reason' END,
                       CASE WHEN l.event_type = 'AccountClosed' THEN a.closure_reason END)
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
