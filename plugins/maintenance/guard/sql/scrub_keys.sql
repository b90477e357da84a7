SELECT format('event %s at position %s has no key', e.id, e.{position}) AS what
  FROM {partition} e LEFT JOIN summa_host.ledger_event_key k ON k.id = e.id AND k.position = e.{position}
 WHERE k.id IS NULL LIMIT $1
