UPDATE summa_read.projection_checkpoint
SET position = $3, holes = $4, fence = $5, updated_at = clock_timestamp()
WHERE projection = $1 AND build = $2 AND fence <= $5 AND position = $6 AND holes = $7 AND state = $8 AND role = $9
