-- The first and the last time of the rows of an overflow partition.
SELECT min({key}) AS at FROM {table} UNION SELECT max({key}) FROM {table} ORDER BY at
