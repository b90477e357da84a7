-- The last events of chains that may go on, of the aggregates of a partition behind ($1, $2), up to ($3, $4): those that
-- the table has no later event of. OFFSET 0: one look-up for each aggregate, never a join with the whole table.
SELECT {columns}
FROM (SELECT aggregate_type, aggregate_id, max({version}) AS version FROM {partition}
      WHERE aggregate_type IN ({types}) AND (aggregate_type, aggregate_id) > ($1::text, $2::uuid)
        AND (aggregate_type, aggregate_id) <= ($3::text, $4::uuid)
      GROUP BY aggregate_type, aggregate_id) a
JOIN {partition} e ON e.aggregate_type = a.aggregate_type AND e.aggregate_id = a.aggregate_id AND e.{version} = a.version
WHERE NOT EXISTS (SELECT FROM {table} n WHERE n.aggregate_type = a.aggregate_type AND n.aggregate_id = a.aggregate_id
                  AND n.{version} > a.version OFFSET 0)
  AND {goes_on}
