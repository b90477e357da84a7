SELECT k.key, k.position, k.event_type, k.error,
       (SELECT count(*) FROM summa_read.projection_waiting w
        WHERE w.projection = k.projection AND w.build = k.build AND w.key = k.key) AS waiting
FROM summa_read.projection_paused_key k WHERE k.projection = $1 AND k.build = $2 ORDER BY k.position LIMIT $3
