-- The last of the next $3 aggregates of a partition, behind ($1, $2), of which the last event may have to stay.
SELECT aggregate_type, aggregate_id
FROM (SELECT DISTINCT aggregate_type::text AS aggregate_type, aggregate_id FROM {partition}
      WHERE aggregate_type IN ({types}) AND (aggregate_type, aggregate_id) > ($1::text, $2::uuid)
      ORDER BY 1, 2 LIMIT $3::bigint) next
ORDER BY 1 DESC, 2 DESC LIMIT 1
