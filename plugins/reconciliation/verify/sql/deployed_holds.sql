-- Events of holds against transaction_record and entry_record.
WITH event AS MATERIALIZED (
  SELECT e.aggregate_id, e.aggregate_version AS version, e.id, e.sequence_number AS position, e.event_type,
         e.event_data AS data, e.correlation_id, e.created_at
  FROM ledger_event e
  WHERE e.aggregate_type = 'hold' AND e.event_type IN ('HoldCreated', 'HoldCommitted', 'HoldVoided', 'HoldExpired')
    AND :slice(e.aggregate_id)
), comparison AS (
  SELECT event.*, t.id AS record_id, c.*
  FROM event
  LEFT JOIN transaction_record t ON t.id = event.aggregate_id AND t.is_hold
  LEFT JOIN LATERAL (
    SELECT sum(n.amount) FILTER (WHERE n.entry_type = 'DEBIT') AS debits,
           sum(n.amount) FILTER (WHERE n.entry_type = 'CREDIT') AS credits,
           string_agg(DISTINCT n.account_id::text, ',') FILTER (WHERE n.entry_type = 'DEBIT') AS debited,
           CASE WHEN min(n.created_at) = max(n.created_at) THEN min(n.created_at) END AS entered_at
    FROM entry_record n WHERE n.transaction_id = t.id) f ON event.event_type = 'HoldCommitted'
  CROSS JOIN LATERAL (
    SELECT * FROM (VALUES
      ('version', event.version::text, '1'),
      ('reference', data->>'reference', t.reference),
      ('amount', data->>'amount', t.amount::text),
      ('correlation', event.correlation_id::text, t.correlation_id::text),
      ('time', event.created_at::text, t.created_at::text),
      ('source', data->>'sourceAccountId', t.source_account_id::text),
      ('destination', CASE WHEN data ? 'destinationAccountId' THEN data->>'destinationAccountId' END,
                      CASE WHEN data ? 'destinationAccountId' THEN t.destination_account_id::text END),
      ('system destination', CASE WHEN data ? 'destinationSystemAccountId' THEN data->>'destinationSystemAccountId' END,
                             CASE WHEN data ? 'destinationSystemAccountId' THEN t.destination_system_account_id::text END)
    ) AS created (name, said, stored) WHERE event.event_type = 'HoldCreated'
    UNION ALL
    SELECT * FROM (VALUES
      ('committed amount', data->>'committedAmount', t.committed_amount::text),
      ('original amount', data->>'originalAmount', t.amount::text),
      ('debits', data->>'committedAmount', f.debits::text),
      ('credits', data->>'committedAmount', f.credits::text),
      ('debited', t.source_account_id::text, f.debited),
      ('time of entries', event.created_at::text, f.entered_at::text)
    ) AS committed (name, said, stored) WHERE event.event_type = 'HoldCommitted'
    UNION ALL
    SELECT 'hold', event.aggregate_id::text, t.id::text WHERE event.event_type IN ('HoldVoided', 'HoldExpired')
  ) AS c (name, said, stored)
)
SELECT 'hold' AS aggregate_type, aggregate_id, version::bigint, id AS event_id, position::bigint,
       NULL::uuid AS account_id, aggregate_id AS transaction_id,
       CASE WHEN record_id IS NULL THEN event_type
            ELSE string_agg(name || ' ' || coalesce(said, 'none'), ', ' ORDER BY name) END AS expected,
       CASE WHEN record_id IS NULL THEN 'no such hold'
            ELSE string_agg(name || ' ' || coalesce(stored, 'none'), ', ' ORDER BY name) END AS found
FROM comparison
WHERE said IS DISTINCT FROM stored
GROUP BY aggregate_id, version, id, position, event_type, record_id
ORDER BY aggregate_id, version
