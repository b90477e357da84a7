INSERT INTO summa_host.dlq_audit (actor, action, source, filter, items, ids)
VALUES ($1, $2, $3, $4, $5, $6)
