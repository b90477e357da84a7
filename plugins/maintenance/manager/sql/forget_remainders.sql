-- Remainders of the table $2, in schema $1, that were never attached and are gone.
DELETE FROM summa_host.partition_remainder
WHERE parent = $2 AND state = 'making' AND to_regclass(format('%I.%I', $1::text, name)) IS NULL
