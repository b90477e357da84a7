-- outbox_tail took its place; no host has called it since.
DROP FUNCTION IF EXISTS summa_host.outbox_poll(timestamptz, text[], text[], text, bigint, boolean);
