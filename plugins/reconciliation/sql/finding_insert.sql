INSERT INTO summa_host.finding (run_id, part, kind, step, detail, finding) VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb)
