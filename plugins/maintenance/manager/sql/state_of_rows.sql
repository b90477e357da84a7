-- How many rows a table has, the highest position of them, and who wrote them: whether any was added, changed or deleted
-- meanwhile.
SELECT count(*) AS rows, coalesce(max({position}), 0)::bigint AS last, coalesce(sum(xmin::text::bigint), 0)::bigint AS writers
FROM {table}
