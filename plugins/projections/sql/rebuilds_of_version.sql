SELECT FROM summa_host.operation
WHERE kind = $1 AND arguments->>'projection' = $2 AND arguments->>'version' = $3 LIMIT 1
