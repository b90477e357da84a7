-- Who may have a snapshot from before the transaction $1 (xid8, as text): sessions, standbys with hot_standby_feedback,
-- also by their replication slots, and prepared transactions. A role that is no member of pg_read_all_stats sees
-- backend_xmin of others, but not their backend_type; what sends to a standby has no database.
SELECT format('process %s (%s, %s) has a snapshot from before the end of the copy', pid,
              coalesce(nullif(application_name, ''), 'no name'), usename) AS what
  FROM pg_catalog.pg_stat_activity
 WHERE (datname = current_database() OR datname IS NULL) AND pid <> pg_backend_pid()
   AND age(backend_xmin) >= age($1::xid8::xid) AND backend_type IS DISTINCT FROM 'autovacuum worker'
UNION ALL
SELECT format('a standby of the replication slot %s has a snapshot from before the end of the copy', slot_name)
  FROM pg_catalog.pg_replication_slots WHERE age(xmin) >= age($1::xid8::xid)
UNION ALL
SELECT format('the prepared transaction %s is older than the end of the copy', gid)
  FROM pg_catalog.pg_prepared_xacts WHERE database = current_database() AND age(transaction) >= age($1::xid8::xid)
