-- Rows that are in a partition that is not the one of their time.
SELECT count(*) FILTER (WHERE leaf.oid IS NULL) AS misplaced
  FROM {table} e LEFT JOIN unnest($3::bigint[], $4::text[], $5::text[]) AS leaf (oid, from_time, to_time)
    ON leaf.oid::oid = e.tableoid AND e.created_at >= leaf.from_time::timestamptz
   AND (e.created_at < leaf.to_time::timestamptz OR leaf.to_time = 'infinity')
 WHERE e.{position} > $1 AND e.{position} <= $2
