SELECT position FROM ledger_event WHERE aggregate_id = $1::uuid ORDER BY position
