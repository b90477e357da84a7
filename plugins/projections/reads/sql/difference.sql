INSERT INTO summa_read.projection_difference AS d (projection, kind, count, last_at, example)
VALUES ($1, $2, 1, clock_timestamp(), $3)
ON CONFLICT (projection, kind) DO UPDATE SET count = d.count + 1, last_at = excluded.last_at, example = excluded.example
