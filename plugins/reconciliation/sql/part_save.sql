INSERT INTO summa_host.verification_part (part, verified_at, rows, findings) VALUES ($1, $2, $3, $4)
ON CONFLICT (part) DO UPDATE SET verified_at = excluded.verified_at, rows = excluded.rows, findings = excluded.findings
