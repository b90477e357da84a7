-- Whether accounts begin with the event that the other statements of the plan's layout know.
SELECT coalesce(bool_or(first.event_type = 'ACCOUNT_OPENED'), true)
FROM (SELECT event_type FROM ledger_event WHERE aggregate_type = 'account' AND sequence_number = 1 LIMIT 1000) first
