-- Rows of a remainder that the partition which comes back has, but with other values.
SELECT count(*) FROM {remainder} m JOIN {partition} r ON r.id = m.id
WHERE {range} AND ROW({kept_columns})::text <> ROW({own_columns})::text
