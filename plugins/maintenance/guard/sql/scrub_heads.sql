-- Heads in the partition's time.
SELECT format('the head of %s %s is at version %s with hash %s, which is not an event of this partition',
              h.aggregate_type, h.aggregate_id, h.version, h.hash) AS what
  FROM (SELECT * FROM summa_host.ledger_event_head WHERE {bounds}) h
 WHERE NOT EXISTS (SELECT FROM {partition} e WHERE e.aggregate_type = h.aggregate_type
                   AND e.aggregate_id = h.aggregate_id AND e.{version} = h.version AND e.{hash} = h.hash) LIMIT $1
