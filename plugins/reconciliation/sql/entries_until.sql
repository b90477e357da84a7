-- Up to where every entry is visible to this snapshot. created_at is when the transaction of an entry began: one
-- that is still open, or began just now, may add older ones.
SELECT least((SELECT max(created_at) FROM entry_record),
             clock_timestamp() - interval '1 minute',
             (SELECT min(xact_start) FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()),
             (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database()))
