INSERT INTO summa_host.ledger_event_key (id, position, created_at)
SELECT id, {position}, created_at FROM {events} WHERE {position} > $1 AND {position} <= $2 ORDER BY {position}
