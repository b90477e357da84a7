-- Confirmed by the bus. Only rows that are still open: one that somebody else marked is not touched.
UPDATE outbox
SET status = 'processed', processed_at = clock_timestamp(), last_error = NULL
WHERE id = ANY ($1) AND status = 'pending' AND processed_at IS NULL
