-- The functions below name tables of the deployed layout, which are looked for when they are called.
SET LOCAL check_function_bodies = off;

-- When delivery by this host began, and how far it is.
CREATE TABLE summa_host.outbox_state (
  id integer PRIMARY KEY CHECK (id = 1),
  own_since timestamptz,
  last_delivered_at timestamptz
);

-- Keys whose first undelivered message cannot be delivered; later ones of the key wait behind it.
CREATE TABLE summa_host.outbox_blocked_key (
  stream text NOT NULL,
  key text NOT NULL,
  outbox_id uuid NOT NULL,
  topic text NOT NULL,
  error text NOT NULL,
  blocked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (stream, key)
);

-- The text as jsonb, or NULL when it is none. Not PARALLEL SAFE: catching an error needs a
-- subtransaction, which parallel workers cannot have.
CREATE FUNCTION summa_host.try_jsonb(value text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $function$
BEGIN
  RETURN value::pg_catalog.jsonb;
EXCEPTION
  WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
    RETURN NULL;
END
$function$;

-- What a row of outbox says: its payload, decoded once more when a driver stored it as a JSON string.
CREATE FUNCTION summa_host.outbox_document(payload jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $function$
  SELECT CASE jsonb_typeof(payload)
           WHEN 'string' THEN COALESCE(summa_host.try_jsonb(payload #>> '{}'), payload)
           ELSE payload
         END
$function$;

-- What order is kept for.
CREATE FUNCTION summa_host.outbox_key(document jsonb, id uuid) RETURNS text
LANGUAGE sql IMMUTABLE AS $function$
  SELECT COALESCE(document ->> 'accountId', document ->> 'holdId', document ->> 'transactionId',
                  id::text)
$function$;

-- The event that a row of outbox tells of, on the deployed layout: only account creations carry event_id;
-- the others are found by what the document names. The first branch that finds one wins. OFFSET 0 keeps the
-- planner from repeating the expressions in every branch. careful: also checks the hexadecimal digits of
-- the id, which costs as much as everything else; without it a malformed id raises 22P02. The tables are
-- found by the caller's search_path.
CREATE FUNCTION summa_host.outbox_event(p_event_id uuid, p_topic text, p_document jsonb,
                                        p_created_at timestamptz, p_careful boolean)
RETURNS TABLE (event_position bigint, event_correlation_id uuid)
LANGUAGE sql STABLE AS $function$
  SELECT found.sequence_number, found.correlation_id
  FROM (
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
    SELECT sequence_number, correlation_id
    FROM ledger_event
    WHERE id = p_event_id
    UNION ALL
    -- An account can be frozen more than once: the row and its event share the start of their transaction.
    SELECT sequence_number, correlation_id
    FROM ledger_event
    WHERE p_event_id IS NULL
      AND aggregate_type = told.aggregate_type AND aggregate_id = told.aggregate_id
      AND event_type = told.event_type
      AND (told.aggregate_type <> 'account' OR created_at = p_created_at)
    UNION ALL
    -- A reversal has a record of its own, but its event belongs to the transaction it reverses.
    SELECT reversed.sequence_number, reversed.correlation_id
    FROM transaction_record reversal
    CROSS JOIN LATERAL (
      SELECT sequence_number, correlation_id
      FROM ledger_event
      WHERE aggregate_type = 'transaction' AND aggregate_id = reversal.parent_id
        AND event_type = 'TransactionReversed'
        AND event_data ->> 'reversalId' = told.aggregate_id::text
      OFFSET 0  -- one look-up per reversal, never a join of all
    ) reversed
    WHERE p_event_id IS NULL AND told.aggregate_type = 'transaction'
      AND reversal.id = told.aggregate_id
    LIMIT 1
  ) found
$function$;

-- One read of the tail: everything that waits since p_created_from, oldest first, at most p_limit rows. With
-- fewer rows than the limit this is the complete set of one snapshot, so it may be sorted by position:
-- whatever becomes visible later comes later in its account.
-- A function because of its settings: a plan made while the tables were small would read them whole for
-- every row when they have grown, and a new plan for every poll costs more than the poll.
-- p_route: the one stream of all topics, or NULL. A lane is a stream and a key.
CREATE FUNCTION summa_host.outbox_poll(p_created_from timestamptz, p_lanes text[], p_topics text[],
                                       p_route text, p_limit bigint, p_careful boolean)
RETURNS TABLE (id uuid, topic text, payload text, created_at timestamptz, retry_count integer,
               key text, event_position bigint, correlation_id text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $function$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT o.id, o.topic::text, o.document::text, o.created_at, o.retry_count, o.key,
         e.event_position, e.event_correlation_id::text
  FROM (
    SELECT w.id, w.event_id, w.topic, w.created_at, w.retry_count, d.document, k.key
    FROM outbox w
    CROSS JOIN LATERAL (SELECT summa_host.outbox_document(w.payload) AS document OFFSET 0) d
    CROSS JOIN LATERAL (SELECT summa_host.outbox_key(d.document, w.id) AS key OFFSET 0) k
    -- status is a literal, so that the index on it can be used; processed_at is wrapped, so that the
    -- index on it is not: that one knows nothing of the lower bound.
    WHERE w.status = 'pending' AND (w.processed_at IS NULL) IS TRUE
      AND w.created_at >= p_created_from
      AND COALESCE(p_route, w.topic) || chr(31) || k.key <> ALL (p_lanes)
      AND w.topic <> ALL (p_topics)
    ORDER BY w.created_at
    LIMIT p_limit
  ) o
  LEFT JOIN LATERAL
    summa_host.outbox_event(o.event_id, o.topic, o.document, o.created_at, p_careful) e ON true;
END
$function$;
