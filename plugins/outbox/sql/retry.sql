UPDATE outbox
SET retry_count = least(greatest(retry_count, 0), 2147483646) + 1, last_error = $2
WHERE id = $1 AND (status = 'pending' AND processed_at IS NULL) IS TRUE
