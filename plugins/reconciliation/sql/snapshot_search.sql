-- From where to look for grown aggregates; from the start when less growth is enough now.
SELECT coalesce((SELECT CASE WHEN after_events <= $1 THEN position ELSE 0 END
                 FROM summa_host.snapshot_search WHERE id = 1), 0)::bigint
