SELECT coalesce(sum(count) FILTER (WHERE last_at > clock_timestamp() - interval '1 hour'), 0)::bigint AS differences
FROM summa_read.projection_difference WHERE projection = $1
