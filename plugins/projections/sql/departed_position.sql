-- The first of these numbers that an event has.
SELECT min(k.position) AS position
FROM unnest($1::bigint[], $2::bigint[]) AS n (low, high)
JOIN summa_host.ledger_event_key k ON k.position BETWEEN n.low AND n.high
