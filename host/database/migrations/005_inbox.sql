-- Which messages of a bus a consumer has handled: written in the handler's own transaction, so that a message
-- that comes twice has its effect once. inbox-cleanup deletes the oldest.
CREATE TABLE summa_host.inbox (
  consumer text NOT NULL,
  message_id text NOT NULL,
  handled_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, message_id)
);
CREATE INDEX inbox_handled_at ON summa_host.inbox USING brin (handled_at);
