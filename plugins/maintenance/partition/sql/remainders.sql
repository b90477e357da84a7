-- The names of the partitions of $1 that are remainders.
SELECT name FROM summa_host.partition_remainder WHERE parent = $1 AND state = 'attached'
