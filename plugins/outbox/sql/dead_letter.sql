-- Attempts are used up: the row leaves the queue, its copy waits in Summa's dead letter table.
WITH failed AS (
  UPDATE outbox
  SET retry_count = least(greatest(retry_count, 0), 2147483646) + 1, status = 'failed', last_error = $2
  WHERE id = $1 AND (status = 'pending' AND processed_at IS NULL) IS TRUE
  RETURNING id, topic, payload, retry_count
)
INSERT INTO dead_letter_queue (outbox_id, topic, payload, error_message, retry_count)
SELECT id, topic, payload, $2, retry_count FROM failed
