-- Parts of a rebuild write at the same time.
INSERT INTO @table AS v (id, reference, type, status, amount, currency, source_account_id, destination_account_id,
       source_system_account_id, destination_system_account_id, refunded_amount, posted_at, position, updated_at)
SELECT id, reference, type, status, amount, currency, nullif(source, zero), nullif(destination, zero),
       nullif(system_source, zero), nullif(system_destination, zero), refunded, posted_at, position, updated_at
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::uuid[], $8::uuid[],
            $9::uuid[], $10::uuid[], $11::bigint[], $12::timestamptz[], $13::bigint[], $14::timestamptz[])
     AS n (id, reference, type, status, amount, currency, source, destination, system_source, system_destination,
           refunded, posted_at, position, updated_at),
     (SELECT '00000000-0000-0000-0000-000000000000'::uuid AS zero) z
ON CONFLICT (id) DO UPDATE SET
  status = excluded.status, refunded_amount = excluded.refunded_amount, posted_at = excluded.posted_at,
  amount = excluded.amount, position = greatest(v.position, excluded.position),
  updated_at = greatest(v.updated_at, excluded.updated_at)
