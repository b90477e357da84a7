-- transaction_record against the events that must tell of it: what was deleted from the event store, renamed to
-- another type or moved to another aggregate is missed here, and a status nobody caused is found.
WITH record AS MATERIALIZED (
  SELECT t.id, t.status, t.is_hold, t.is_reversal, t.parent_id, t.refunded_amount, t.created_at
  FROM transaction_record t WHERE :slice(t.id)
), told AS (
  SELECT record.*, h.*, r.*, p.*
  FROM record
  LEFT JOIN LATERAL (
    SELECT string_agg(e.event_type, ',' ORDER BY e.aggregate_version) AS types
    FROM ledger_event e
    WHERE NOT record.is_reversal AND e.aggregate_id = record.id
      AND (CASE WHEN record.is_hold THEN e.aggregate_type = 'hold'
                ELSE e.aggregate_type = 'transaction' AND e.event_type = 'TransactionPosted' END)
      AND e.aggregate_type IN ('hold', 'transaction')) h ON true
  LEFT JOIN LATERAL (
    SELECT sum(CASE WHEN jsonb_typeof(e.event_data->'amount') = 'number' THEN (e.event_data->'amount')::numeric END) AS refunded,
           bool_or(e.event_data->>'fullyRefunded' = 'true') AS fully
    FROM ledger_event e
    WHERE NOT record.is_reversal AND e.aggregate_type = 'transaction' AND e.aggregate_id = record.id
      AND e.event_type = 'TransactionReversed') r ON true
  LEFT JOIN LATERAL (
    SELECT count(*) AS reversals FROM ledger_event e
    WHERE record.is_reversal AND e.aggregate_type = 'transaction' AND e.aggregate_id = record.parent_id
      AND e.event_type = 'TransactionReversed' AND e.event_data->>'reversalId' = record.id::text) p ON true
), comparison AS (
  SELECT told.id, told.is_hold, told.is_reversal, told.parent_id, c.*
  FROM told CROSS JOIN LATERAL (VALUES
    ('events', CASE WHEN is_reversal THEN reversals || ' of its reversal'
                    WHEN status IN ('pending', 'scheduled') THEN NULL
                    ELSE coalesce(types, 'none') END,
               CASE WHEN is_reversal THEN '1 of its reversal'
                    WHEN status IN ('pending', 'scheduled') THEN NULL
                    WHEN NOT is_hold THEN 'TransactionPosted'
                    WHEN status = 'inflight' THEN 'HoldCreated'
                    WHEN status = 'voided' THEN 'HoldCreated,HoldVoided'
                    WHEN status = 'expired' THEN 'HoldCreated,HoldExpired'
                    ELSE 'HoldCreated,HoldCommitted' END),
    ('refunded', CASE WHEN NOT is_reversal THEN coalesce(refunded, 0)::text END,
                 CASE WHEN NOT is_reversal THEN refunded_amount::text END),
    ('reversed', CASE WHEN NOT is_reversal THEN coalesce(fully, false)::text END,
                 CASE WHEN NOT is_reversal THEN (status = 'reversed')::text END)
  ) AS c (name, said, stored)
)
SELECT CASE WHEN is_hold THEN 'hold' ELSE 'transaction' END AS aggregate_type,
       CASE WHEN is_reversal THEN parent_id ELSE id END AS aggregate_id, NULL::bigint AS version, NULL::uuid AS event_id,
       NULL::bigint AS position, NULL::uuid AS account_id, id AS transaction_id,
       string_agg(name || ' ' || coalesce(said, 'none'), ', ' ORDER BY name) AS expected,
       string_agg(name || ' ' || coalesce(stored, 'none'), ', ' ORDER BY name) AS found
FROM comparison
WHERE said IS DISTINCT FROM stored
GROUP BY id, is_hold, is_reversal, parent_id
ORDER BY comparison.id
