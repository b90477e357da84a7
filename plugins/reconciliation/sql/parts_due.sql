-- Parts of $1 that were verified more than $2 microseconds ago, or never; the one that waits longest first. The time
-- is taken now, before the verification: what is added meanwhile counts as not verified.
SELECT wanted.part, clock_timestamp() AS now, count(*) OVER () AS due
FROM unnest($1) AS wanted (part) LEFT JOIN summa_host.verification_part p USING (part)
WHERE p.verified_at IS NULL OR p.verified_at < clock_timestamp() - $2::bigint * interval '1 microsecond'
ORDER BY p.verified_at NULLS FIRST, wanted.part LIMIT 1
