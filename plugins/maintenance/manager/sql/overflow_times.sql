-- The first and the last time of the rows of an overflow partition, and one of each $1 between them that has any.
SELECT min({key}) AS at FROM {table} GROUP BY date_trunc($1, {key}, 'UTC')
UNION
SELECT max({key}) FROM {table}
ORDER BY at
