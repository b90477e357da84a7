SELECT id FROM summa_host.operation WHERE kind = $1 AND arguments->>'projection' = $2 ORDER BY id DESC LIMIT 1
