-- Summa's row, and the end of the run. Summa sorts run_date as text, and takes a second one of the same instant for
-- the same run.
WITH finished AS (
  UPDATE summa_host.reconciliation_run SET finished_at = clock_timestamp() WHERE id = $1
  RETURNING started_at, finished_at
), result AS (
  INSERT INTO reconciliation_result AS r
    (run_date, status, total_mismatches, step0_result, step0b_result, step0c_result, step1_result, step2_result,
     step3_result, mismatches, duration_ms)
  SELECT to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), $2, $3::bigint, $4::jsonb, $5::jsonb,
         $6::jsonb, $7::jsonb, $8::jsonb, $9::jsonb, $10::jsonb,
         least(extract(epoch FROM finished_at - started_at) * 1000, 2147483647)::integer
  FROM finished
  ON CONFLICT (run_date) DO UPDATE SET
    status = excluded.status, total_mismatches = excluded.total_mismatches, step0_result = excluded.step0_result,
    step0b_result = excluded.step0b_result, step0c_result = excluded.step0c_result,
    step1_result = excluded.step1_result, step2_result = excluded.step2_result, step3_result = excluded.step3_result,
    mismatches = excluded.mismatches, duration_ms = excluded.duration_ms
  RETURNING r.id, r.run_date, r.duration_ms
)
SELECT id::text, run_date::text, duration_ms::bigint FROM result
