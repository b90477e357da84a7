-- The function below names tables of the deployed layout, which are looked for when it is called.
SET LOCAL check_function_bodies = off;

-- Rows that wait behind a row of their key that failed, and that row itself while it is tried again. Summa's
-- row stays as it is; a poll passes over those that stand here. `place` is the order within the lane (a
-- stream and a key): the position in the ledger, or the largest number for what goes to the tail.
CREATE TABLE summa_host.outbox_waiting (
  sink text NOT NULL,
  outbox_id uuid NOT NULL,
  stream text NOT NULL,
  key text NOT NULL,
  -- A key may be longer than an entry of an index.
  lane uuid NOT NULL GENERATED ALWAYS AS (md5(stream || chr(31) || key)::uuid) STORED,
  place bigint NOT NULL,
  created_at timestamptz NOT NULL,
  position bigint,
  correlation_id text,
  -- Counted here and not in Summa's row while Summa's own processor keeps the rows.
  attempts integer NOT NULL DEFAULT 0,
  redriven boolean NOT NULL DEFAULT false,
  PRIMARY KEY (sink, outbox_id)
);
CREATE INDEX ON summa_host.outbox_waiting (sink, lane, place, created_at, outbox_id);

-- What a sink has confirmed and the row itself does not say: while Summa's processor marks the rows, and while
-- another sink still lacks them. error: the sink will never have it, and its key went on without it. history: it was
-- marked before we began to look, and is not ours to send.
CREATE TABLE summa_host.outbox_sent (
  sink text NOT NULL,
  outbox_id uuid NOT NULL,
  sent_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  error text,
  history boolean NOT NULL DEFAULT false,
  PRIMARY KEY (sink, outbox_id)
);
CREATE INDEX ON summa_host.outbox_sent (sent_at);
CREATE INDEX ON summa_host.outbox_sent (outbox_id);

-- How far each sink is. observed_until: everything visible then was sent; set while Summa's processor keeps the
-- rows, and until the hand-over to us is done.
CREATE TABLE summa_host.outbox_sink (
  sink text PRIMARY KEY,
  observe_since timestamptz,
  observed_until timestamptz,
  own_since timestamptz,
  last_delivered_at timestamptz
);

-- Who changed what in the dead letter queue, or sent rows again.
CREATE TABLE summa_host.dlq_audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  database_role text NOT NULL DEFAULT session_user,
  action text NOT NULL,
  source text NOT NULL,
  filter text NOT NULL,
  items bigint NOT NULL,
  ids text[] NOT NULL
);

-- One read of the tail: everything that waits since p_created_from, oldest first, at most p_limit rows. With
-- fewer rows than the limit this is the complete set of one snapshot, so it may be sorted by position:
-- whatever becomes visible later comes later in its account.
-- A function because of its settings: a plan made while the tables were small would read them whole for
-- every row when they have grown, and a new plan for every poll costs more than the poll. OFFSET 0 keeps the
-- look-ups in our own tables what they are meant to be: one probe of an index for each row.
-- p_check_sent: leave out what the sink has; only needed when the row itself does not say it.
CREATE FUNCTION summa_host.outbox_tail(p_created_from timestamptz, p_sink text, p_topics text[],
                                       p_limit bigint, p_careful boolean, p_check_sent boolean)
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
      AND w.topic <> ALL (p_topics)
      AND NOT EXISTS (SELECT FROM summa_host.outbox_waiting waiting
                      WHERE waiting.sink = p_sink AND waiting.outbox_id = w.id OFFSET 0)
      AND (NOT p_check_sent
           OR NOT EXISTS (SELECT FROM summa_host.outbox_sent sent
                          WHERE sent.sink = p_sink AND sent.outbox_id = w.id
                            AND sent.error IS NULL OFFSET 0))
    ORDER BY w.created_at
    LIMIT p_limit
  ) o
  LEFT JOIN LATERAL
    summa_host.outbox_event(o.event_id, o.topic, o.document, o.created_at, p_careful) e ON true;
END
$function$;

-- The same while Summa's own processor keeps the rows: whatever their status, since a marked row is still ours
-- to publish. p_settled_from bounds the rows that are no longer pending.
CREATE FUNCTION summa_host.outbox_observed(p_created_from timestamptz, p_settled_from timestamptz,
                                           p_sink text, p_topics text[], p_limit bigint,
                                           p_careful boolean)
RETURNS TABLE (id uuid, topic text, payload text, created_at timestamptz, retry_count integer,
               key text, event_position bigint, correlation_id text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $function$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT o.id, o.topic::text, o.document::text, o.created_at, 0, o.key,
         e.event_position, e.event_correlation_id::text
  FROM (
    SELECT w.id, w.event_id, w.topic, w.created_at, d.document, k.key
    FROM (SELECT p.* FROM outbox p WHERE p.status = 'pending' AND p.created_at >= p_created_from
          UNION ALL
          SELECT p.* FROM outbox p WHERE p.status = 'processed' AND p.created_at >= p_settled_from
          UNION ALL
          SELECT p.* FROM outbox p WHERE p.status = 'failed' AND p.created_at >= p_settled_from) w
    CROSS JOIN LATERAL (SELECT summa_host.outbox_document(w.payload) AS document OFFSET 0) d
    CROSS JOIN LATERAL (SELECT summa_host.outbox_key(d.document, w.id) AS key OFFSET 0) k
    WHERE w.topic <> ALL (p_topics)
      AND NOT EXISTS (SELECT FROM summa_host.outbox_waiting waiting
                      WHERE waiting.sink = p_sink AND waiting.outbox_id = w.id OFFSET 0)
      AND NOT EXISTS (SELECT FROM summa_host.outbox_sent sent
                      WHERE sent.sink = p_sink AND sent.outbox_id = w.id OFFSET 0)
    ORDER BY w.created_at
    LIMIT p_limit
  ) o
  LEFT JOIN LATERAL
    summa_host.outbox_event(o.event_id, o.topic, o.document, o.created_at, p_careful) e ON true;
END
$function$;
