-- Where Summa's own run would go on: it looks at entries created after this mark. Nothing older can still become
-- visible, see entries_until.
INSERT INTO reconciliation_watermark AS w (id, last_entry_created_at, last_run_date, last_mismatches, updated_at)
SELECT 1, entries_until, (started_at AT TIME ZONE 'UTC')::date, $2::bigint, clock_timestamp()
FROM summa_host.reconciliation_run WHERE id = $1
ON CONFLICT (id) DO UPDATE SET
  last_entry_created_at = coalesce(excluded.last_entry_created_at, w.last_entry_created_at),
  last_run_date = excluded.last_run_date, last_mismatches = excluded.last_mismatches, updated_at = excluded.updated_at
