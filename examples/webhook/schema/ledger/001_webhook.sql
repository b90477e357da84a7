CREATE SCHEMA webhook;

-- Who gets what. An empty array: no filter. not_before: nothing is sent before, because the circuit is open (openings
-- above 0) or because the endpoint asked for it with Retry-After.
CREATE TABLE webhook.endpoint (
  id text PRIMARY KEY,
  url text NOT NULL,
  topics text[] NOT NULL DEFAULT '{}',
  holders text[] NOT NULL DEFAULT '{}',
  paused boolean NOT NULL DEFAULT false,
  pause_reason text,
  failures bigint NOT NULL DEFAULT 0,
  openings bigint NOT NULL DEFAULT 0,
  not_before timestamptz,
  last_error text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Each secret signs until it expires; NULL: for ever.
CREATE TABLE webhook.secret (
  endpoint text NOT NULL,
  secret text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz,
  PRIMARY KEY (endpoint, secret)
);

-- A key of an endpoint for which something waits, and when its first delivery may be tried. Whoever adds a delivery, or
-- settles one, locks the row first: so none is ever without its lane.
CREATE TABLE webhook.lane (
  endpoint text NOT NULL,
  key text NOT NULL,
  due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (endpoint, key)
);
CREATE INDEX lane_due ON webhook.lane (endpoint, due_at);

-- One message for one endpoint. Within a key, the order is that of the numbers.
CREATE TABLE webhook.delivery (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  endpoint text NOT NULL,
  key text NOT NULL,
  message_id text NOT NULL,
  type text NOT NULL,
  happened_at text NOT NULL,
  payload json NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
  attempts bigint NOT NULL DEFAULT 0,
  first_attempt_at timestamptz,
  last_attempt_at timestamptz,
  last_status bigint,
  last_error text,
  settled_at timestamptz,
  UNIQUE (endpoint, message_id)
);
CREATE INDEX delivery_pending ON webhook.delivery (endpoint, key, number) WHERE state = 'pending';
CREATE INDEX delivery_settled ON webhook.delivery (state, settled_at) WHERE state <> 'pending';
