DELETE FROM summa_host.outbox_waiting WHERE sink = $1 AND outbox_id = ANY ($2)
