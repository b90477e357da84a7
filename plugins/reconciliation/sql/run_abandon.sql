UPDATE summa_host.reconciliation_run SET finished_at = clock_timestamp(), books_error = coalesce(books_error, 'abandoned')
WHERE finished_at IS NULL AND started_at < clock_timestamp() - $1::bigint * interval '1 microsecond'
