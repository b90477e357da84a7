SELECT position, holes, updated_at, clock_timestamp() AS now FROM summa_read.projection_checkpoint
WHERE projection = $1 AND role = 'live'
