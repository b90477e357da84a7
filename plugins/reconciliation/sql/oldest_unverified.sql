-- Seconds since the part of $1 that waits longest was verified; a part that never was waits since the first event.
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - coalesce(p.verified_at, first.created_at))), 0)::float8
FROM unnest($1::text[]) AS wanted (part)
LEFT JOIN summa_host.verification_part p USING (part)
CROSS JOIN (SELECT created_at FROM {events} ORDER BY {position} LIMIT 1) first
