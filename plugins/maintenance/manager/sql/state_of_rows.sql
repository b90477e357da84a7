-- How many rows a table has, and the highest position of them: whether rows have come meanwhile.
SELECT count(*) AS rows, coalesce(max({position}), 0)::bigint AS last FROM {table}
