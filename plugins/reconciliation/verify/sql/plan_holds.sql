-- Holds in transaction_record against the events of their account, in both directions.
WITH told AS (
  SELECT e.aggregate_id, e.event_data->>'transactionId' AS transaction_id,
         string_agg(e.event_type, ',' ORDER BY e.sequence_number) AS types,
         min(e.event_data->>'amount') FILTER (WHERE e.event_type = 'HOLD_PLACED') AS placed,
         min(e.event_data->>'amount') FILTER (WHERE e.event_type = 'HOLD_RELEASED') AS released,
         min(e.event_data->>'amount') FILTER (WHERE e.event_type = 'HOLD_CAPTURED') AS captured,
         min(e.event_data->>'originalAmount') FILTER (WHERE e.event_type = 'HOLD_CAPTURED') AS original,
         min(e.event_data->>'reference') FILTER (WHERE e.event_type = 'HOLD_PLACED') AS reference,
         min(e.created_at) FILTER (WHERE e.event_type = 'HOLD_PLACED') AS created_at,
         (array_agg(e.sequence_number ORDER BY e.sequence_number))[1] AS version,
         (array_agg(e.id ORDER BY e.sequence_number))[1] AS id, min(e.position) AS position
  FROM ledger_event e
  WHERE e.aggregate_type = 'account' AND e.event_type IN ('HOLD_PLACED', 'HOLD_RELEASED', 'HOLD_CAPTURED')
    AND :slice(e.aggregate_id)
  GROUP BY 1, 2
), hold AS (
  SELECT t.* FROM transaction_record t WHERE t.is_hold AND :slice(t.source_account_id)
), comparison AS (
  SELECT coalesce(e.aggregate_id, t.source_account_id) AS account, e.version, e.id, e.position, t.id AS transaction, c.*
  FROM told e
  FULL JOIN hold t ON t.source_account_id = e.aggregate_id AND t.id::text = e.transaction_id
  CROSS JOIN LATERAL (VALUES
    ('events', coalesce(e.types, 'none'),
               CASE WHEN t.id IS NULL THEN 'no such hold'
                    WHEN t.status = 'inflight' THEN 'HOLD_PLACED'
                    WHEN t.status IN ('voided', 'expired') THEN 'HOLD_PLACED,HOLD_RELEASED'
                    ELSE 'HOLD_PLACED,HOLD_CAPTURED' END),
    ('amount', e.placed, CASE WHEN e.placed IS NOT NULL THEN t.amount::text END),
    ('released', e.released, CASE WHEN e.released IS NOT NULL THEN t.amount::text END),
    ('captured', e.captured, CASE WHEN e.captured IS NOT NULL THEN t.committed_amount::text END),
    ('original', e.original, CASE WHEN e.captured IS NOT NULL THEN t.amount::text END),
    ('reference', e.reference, CASE WHEN e.placed IS NOT NULL THEN t.reference END),
    ('time', e.created_at::text, CASE WHEN e.placed IS NOT NULL THEN t.created_at::text END)
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
