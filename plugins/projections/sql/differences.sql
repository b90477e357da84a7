SELECT kind, count, last_at, example FROM summa_read.projection_difference WHERE projection = $1 ORDER BY kind
