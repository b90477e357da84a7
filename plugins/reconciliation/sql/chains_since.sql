-- How many events there are at most, and from when on they are new: since the last run that verified them, and an
-- hour more, because created_at is when a transaction began.
SELECT coalesce((SELECT max({position}) FROM {events}), 0)::bigint AS highest,
       (SELECT max(started_at) - interval '1 hour' FROM summa_host.reconciliation_run
        WHERE finished_at IS NOT NULL AND chains_done AND chains_error IS NULL) AS since
