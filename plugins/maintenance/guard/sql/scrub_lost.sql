-- Keys in the partition's time.
SELECT format('key %s at position %s has no event', k.id, k.position) AS what
  FROM (SELECT * FROM summa_host.ledger_event_key WHERE {bounds}) k
 WHERE NOT EXISTS (SELECT FROM {partition} e WHERE e.id = k.id AND e.{position} = k.position) LIMIT $1
