SELECT part, kind, step, detail::text FROM summa_host.finding WHERE run_id = $1 ORDER BY number
