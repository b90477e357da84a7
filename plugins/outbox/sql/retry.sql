UPDATE outbox
SET retry_count = retry_count + 1, last_error = $2
WHERE id = $1 AND (status = 'pending' AND processed_at IS NULL) IS TRUE
