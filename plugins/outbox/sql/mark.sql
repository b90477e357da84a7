-- Confirmed by the bus. Only rows that are still open: one that somebody else marked is not touched. The
-- condition is wrapped so that the rows are found by id and by nothing else: the indexes on status and
-- processed_at are full of entries of rows that were just marked.
UPDATE outbox
SET status = 'processed', processed_at = clock_timestamp(), last_error = NULL
WHERE id = ANY ($1) AND (status = 'pending' AND processed_at IS NULL) IS TRUE
