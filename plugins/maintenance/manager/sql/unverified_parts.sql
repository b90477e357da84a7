-- Of the slices of rolling-verification that together contain every aggregate: how many were not verified since $1, and
-- the findings of all.
SELECT count(*) FILTER (WHERE p.verified_at IS NULL OR p.verified_at < $1) AS stale,
       coalesce(sum(p.findings), 0)::bigint AS findings
FROM (SELECT 'chains/' || to_char(n, 'FM00') AS part FROM generate_series(0, 63) n) wanted
LEFT JOIN summa_host.verification_part p USING (part)
