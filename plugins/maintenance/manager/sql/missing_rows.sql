-- Rows of a remainder that the partition which comes back has not: they came after it had left.
SELECT {columns} FROM {remainder} m WHERE {range} AND NOT EXISTS (SELECT FROM {partition} r WHERE r.id = m.id)
