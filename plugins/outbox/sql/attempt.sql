UPDATE summa_host.outbox_waiting SET attempts = attempts + 1 WHERE sink = $1 AND outbox_id = $2
