SELECT coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions)
                 WHERE option_name = 'autovacuum_vacuum_scale_factor'),
                current_setting('autovacuum_vacuum_scale_factor')) AS scale_factor,
       (SELECT count(*) FROM dead_letter_queue WHERE resolved_at IS NULL) AS dead_letters,
       (SELECT count(*) FROM summa_host.outbox_blocked_key) AS blocked_keys
FROM pg_class c
WHERE c.oid = to_regclass('outbox')
