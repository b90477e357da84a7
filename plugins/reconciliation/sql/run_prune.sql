DELETE FROM summa_host.reconciliation_run WHERE finished_at < clock_timestamp() - $1::bigint * interval '1 day'
