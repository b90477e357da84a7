-- Events of transactions against transaction_record and entry_record. An operation writes all of them in one
-- transaction, so they share created_at. What the event says is `said`, what the tables say is `stored`.
WITH event AS MATERIALIZED (
  SELECT e.aggregate_id, e.aggregate_version AS version, e.id, e.sequence_number AS position, e.event_type,
         e.event_data AS data, e.correlation_id, e.created_at,
         sum(CASE WHEN e.event_type = 'TransactionReversed' AND jsonb_typeof(e.event_data->'amount') = 'number'
                  THEN (e.event_data->'amount')::numeric END)
           OVER (PARTITION BY e.aggregate_id ORDER BY e.aggregate_version) AS refunded
  FROM ledger_event e
  WHERE e.aggregate_type = 'transaction' AND e.event_type IN ('TransactionPosted', 'TransactionReversed')
    AND :slice(e.aggregate_id)
), record AS (
  -- The row that the event tells of: its own, or that of the reversal.
  SELECT event.*, t.id AS record_id, t.reference, t.amount, t.meta_data, t.correlation_id AS record_correlation,
         t.created_at AS record_created_at, t.source_account_id, t.source_system_account_id,
         t.destination_account_id, t.destination_system_account_id
  FROM event LEFT JOIN LATERAL (
    SELECT * FROM transaction_record t
    WHERE event.event_type = 'TransactionPosted' AND t.id = event.aggregate_id AND NOT t.is_hold AND NOT t.is_reversal
    UNION ALL
    SELECT * FROM transaction_record t
    WHERE event.event_type = 'TransactionReversed' AND t.parent_id = event.aggregate_id AND t.is_reversal
      AND t.id::text = event.data->>'reversalId') t ON true
), entries AS (
  SELECT record.*, f.*
  FROM record LEFT JOIN LATERAL (
    SELECT sum(n.amount) FILTER (WHERE n.entry_type = 'DEBIT') AS debits,
           sum(n.amount) FILTER (WHERE n.entry_type = 'CREDIT') AS credits,
           string_agg(DISTINCT coalesce(n.account_id, n.system_account_id)::text, ',')
             FILTER (WHERE n.entry_type = 'DEBIT') AS debited,
           string_agg(DISTINCT coalesce(n.account_id, n.system_account_id)::text, ',')
             FILTER (WHERE n.entry_type = 'CREDIT') AS credited,
           CASE WHEN min(n.created_at) = max(n.created_at) THEN min(n.created_at) END AS entered_at
    FROM entry_record n WHERE n.transaction_id = record.record_id) f ON true
), comparison AS (
  SELECT aggregate_id, version, entries.id, position, event_type, record_id, c.*
  FROM entries
  LEFT JOIN account_balance sa ON sa.id = source_account_id
  LEFT JOIN system_account ss ON ss.id = source_system_account_id
  LEFT JOIN account_balance da ON da.id = destination_account_id
  LEFT JOIN system_account ds ON ds.id = destination_system_account_id
  CROSS JOIN LATERAL (VALUES
    ('amount', data->>'amount', amount::text),
    ('correlation', correlation_id::text, record_correlation::text),
    ('time', entries.created_at::text, record_created_at::text),
    ('time of entries', entries.created_at::text, entered_at::text),
    ('credits', data->>'amount', credits::text),
    -- A refund of several destinations debits nobody (Summa's own imbalance, reported by step 0).
    ('debits', CASE WHEN event_type = 'TransactionPosted' THEN data->>'amount' END,
               CASE WHEN event_type = 'TransactionPosted' THEN debits::text END),
    ('debited', CASE WHEN event_type = 'TransactionPosted' THEN coalesce(source_account_id, source_system_account_id)::text END,
                CASE WHEN event_type = 'TransactionPosted' THEN debited END),
    ('credited', CASE WHEN data ? 'destination' THEN coalesce(destination_account_id, destination_system_account_id)::text END,
                 CASE WHEN data ? 'destination' THEN credited END),
    ('version', CASE WHEN event_type = 'TransactionPosted' THEN version::text END,
                CASE WHEN event_type = 'TransactionPosted' THEN '1' END),
    ('reference', CASE WHEN event_type = 'TransactionPosted' THEN data->>'reference' END,
                  CASE WHEN event_type = 'TransactionPosted' THEN reference END),
    ('category', CASE WHEN event_type = 'TransactionPosted' THEN data->>'category' END,
                 -- The sweep of a closing account names its category in the event only.
                 CASE WHEN event_type = 'TransactionPosted' THEN coalesce(meta_data->>'category',
                   CASE WHEN reference LIKE 'sweep!_close!_%' ESCAPE '!' THEN 'closure_sweep' END) END),
    ('source', CASE WHEN event_type = 'TransactionPosted' THEN data->>'source' END,
               CASE WHEN event_type = 'TransactionPosted' THEN coalesce(sa.holder_id, ss.identifier) END),
    ('destination', CASE WHEN data ? 'destination' THEN data->>'destination' END,
                    CASE WHEN data ? 'destination' THEN coalesce(da.holder_id, ds.identifier) END),
    ('refunded so far', CASE WHEN event_type = 'TransactionReversed' THEN data->>'refundedSoFar' END,
                        CASE WHEN event_type = 'TransactionReversed' THEN refunded::text END)
  ) AS c (name, said, stored)
)
SELECT 'transaction' AS aggregate_type, aggregate_id, version::bigint, id AS event_id, position::bigint,
       NULL::uuid AS account_id, coalesce(record_id, aggregate_id) AS transaction_id,
       CASE WHEN bool_and(record_id IS NULL) THEN event_type
            ELSE string_agg(name || ' ' || coalesce(said, 'none'), ', ' ORDER BY name) END AS expected,
       CASE WHEN bool_and(record_id IS NULL) THEN 'no such transaction'
            ELSE string_agg(name || ' ' || coalesce(stored, 'none'), ', ' ORDER BY name) END AS found
FROM comparison
WHERE said IS DISTINCT FROM stored
GROUP BY aggregate_id, version, id, position, event_type, record_id
ORDER BY aggregate_id, version
