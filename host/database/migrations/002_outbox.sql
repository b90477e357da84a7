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
