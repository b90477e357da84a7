-- The function below names tables of the ledger, which are looked for when it is called.
SET LOCAL check_function_bodies = off;

-- As in step 6, for both layouts. Where ledger_event has no column "position", the name is that of `absent`, and the
-- position is sequence_number; the plan's layout has one, and calls the version sequence_number. The correlation is a
-- text there.
DROP FUNCTION summa_host.outbox_event(uuid, text, jsonb, timestamptz, boolean);
CREATE FUNCTION summa_host.outbox_event(p_event_id uuid, p_topic text, p_document jsonb,
                                        p_created_at timestamptz, p_careful boolean)
RETURNS TABLE (event_position bigint, event_correlation_id text)
LANGUAGE sql STABLE AS $function$
  SELECT found.place, found.correlation::text
  FROM (SELECT NULL::bigint AS "position") absent
  CROSS JOIN LATERAL (
    SELECT kind.aggregate_type,
           CASE
             WHEN kind.id LIKE '________-____-____-____-____________'
              AND (NOT p_careful OR
                   kind.id ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')
             THEN kind.id::uuid
           END AS aggregate_id,
           CASE p_topic
             WHEN 'ledger-hold-created' THEN 'HoldCreated'
             WHEN 'ledger-hold-committed' THEN 'HoldCommitted'
             WHEN 'ledger-hold-voided' THEN 'HoldVoided'
             WHEN 'ledger-hold-expired' THEN 'HoldExpired'
             WHEN 'ledger-account-created' THEN 'AccountCreated'
             WHEN 'ledger-account-frozen' THEN 'AccountFrozen'
             WHEN 'ledger-account-unfrozen' THEN 'AccountUnfrozen'
             WHEN 'ledger-account-closed' THEN 'AccountClosed'
             ELSE 'TransactionPosted'
           END AS event_type
    FROM (
      SELECT CASE
               WHEN hold_id IS NOT NULL THEN 'hold'
               WHEN transaction_id IS NOT NULL THEN 'transaction'
               ELSE 'account'
             END AS aggregate_type,
             COALESCE(hold_id, transaction_id, p_document ->> 'accountId') AS id
      FROM (SELECT p_document ->> 'holdId' AS hold_id,
                   p_document ->> 'transactionId' AS transaction_id OFFSET 0) named
      OFFSET 0
    ) kind
    OFFSET 0
  ) told
  CROSS JOIN LATERAL (
    SELECT coalesce("position", sequence_number) AS place, correlation_id AS correlation
    FROM ledger_event
    WHERE id = p_event_id AND created_at = p_created_at
    UNION ALL
    SELECT coalesce("position", sequence_number) AS place, correlation_id AS correlation
    FROM ledger_event
    WHERE p_event_id IS NULL AND created_at = p_created_at
      AND aggregate_type = told.aggregate_type AND aggregate_id = told.aggregate_id
      AND event_type = told.event_type
    UNION ALL
    -- What few rows need: OFFSET 0 keeps it one branch.
    (
      -- A reversal has a record of its own, but its event belongs to the transaction it reverses.
      SELECT reversed.place, reversed.correlation
      FROM transaction_record reversal
      CROSS JOIN LATERAL (
        SELECT coalesce("position", sequence_number) AS place, correlation_id AS correlation
        FROM ledger_event
        WHERE aggregate_type = 'transaction' AND aggregate_id = reversal.parent_id AND created_at = p_created_at
          AND event_type = 'TransactionReversed'
          AND event_data ->> 'reversalId' = told.aggregate_id::text
        OFFSET 0  -- one look-up per reversal, never a join of all
      ) reversed
      WHERE p_event_id IS NULL AND told.aggregate_type = 'transaction'
        AND reversal.id = told.aggregate_id
      UNION ALL
      -- The same without the bound, for rows that were written in another transaction than their event.
      SELECT coalesce("position", sequence_number) AS place, correlation_id AS correlation
      FROM ledger_event
      WHERE id = p_event_id
      UNION ALL
      SELECT coalesce("position", sequence_number) AS place, correlation_id AS correlation
      FROM ledger_event
      WHERE p_event_id IS NULL
        AND aggregate_type = told.aggregate_type AND aggregate_id = told.aggregate_id
        AND event_type = told.event_type
        AND told.aggregate_type <> 'account'
      UNION ALL
      SELECT reversed.place, reversed.correlation
      FROM transaction_record reversal
      CROSS JOIN LATERAL (
        SELECT coalesce("position", sequence_number) AS place, correlation_id AS correlation
        FROM ledger_event
        WHERE aggregate_type = 'transaction' AND aggregate_id = reversal.parent_id
          AND event_type = 'TransactionReversed'
          AND event_data ->> 'reversalId' = told.aggregate_id::text
        OFFSET 0  -- one look-up per reversal, never a join of all
      ) reversed
      WHERE p_event_id IS NULL AND told.aggregate_type = 'transaction'
        AND reversal.id = told.aggregate_id
      OFFSET 0
    )
    LIMIT 1
  ) found
$function$;
