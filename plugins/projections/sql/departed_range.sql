-- The oldest range of the table $1 that has left it with events that did not stay.
SELECT r.name FROM summa_host.partition_record r
WHERE r.state <> 'attached' AND to_regclass(r.parent) = to_regclass($1) AND coalesce(r.row_count > r.kept_count, true)
ORDER BY r.from_time LIMIT 1
