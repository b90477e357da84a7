-- The function below names tables of the deployed layout, which are looked for when it is called.
SET LOCAL check_function_bodies = off;

-- As in step 2, but for a ledger that has widened retry_count to bigint: the function gives an integer in any
-- case. None and less than none count as none.
CREATE OR REPLACE FUNCTION summa_host.outbox_tail(p_created_from timestamptz, p_sink text, p_topics text[],
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
    SELECT w.id, w.event_id, w.topic, w.created_at,
           least(greatest(w.retry_count, 0), 2147483647)::integer AS retry_count, d.document, k.key
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
