SELECT m.state, m.slice_state, m.verification, m.verification_failed, m.waiting_for, m.exclusive_lock_us,
       coalesce((m.estimate ->> 'rows')::bigint, 0) AS estimated_rows,
       coalesce((SELECT sum(c.row_count) FROM summa_host.migration_chunk c WHERE c.operation = m.operation), 0)::bigint
         AS copied,
       coalesce(m.request, '') AS request, o.finished_at IS NULL AS open, coalesce(o.error, '') AS error,
       o.state = 'aborted' AS aborted
  FROM summa_host.migration m JOIN summa_host.operation o ON o.id = m.operation
 WHERE m.operation = $1
