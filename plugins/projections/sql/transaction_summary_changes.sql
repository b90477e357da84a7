-- As in account_balance_changes.sql.
WITH change AS (
  SELECT * FROM unnest((SELECT $1::uuid[]), (SELECT $2::text[]), (SELECT $3::text[]), (SELECT $4::text[]),
                       (SELECT $5::bigint[]), (SELECT $6::text[]), (SELECT $7::uuid[]), (SELECT $8::uuid[]),
                       (SELECT $9::uuid[]), (SELECT $10::uuid[]), (SELECT $11::bigint[]), (SELECT $12::timestamptz[]),
                       (SELECT $13::bigint[]), (SELECT $14::timestamptz[])) WITH ORDINALITY
       AS n (id, reference, type, status, amount, currency, source, destination, system_source, system_destination,
             refunded, posted_at, position, updated_at, number)
), changed AS (
  UPDATE @table v SET
    status = n.status, refunded_amount = n.refunded, posted_at = n.posted_at, amount = n.amount,
    position = greatest(v.position, n.position),
    updated_at = greatest(v.updated_at, n.updated_at)
  FROM change n WHERE v.id = n.id
  RETURNING n.number
)
INSERT INTO @table (id, reference, type, status, amount, currency, source_account_id, destination_account_id,
                    source_system_account_id, destination_system_account_id, refunded_amount, posted_at, position,
                    updated_at)
SELECT id, reference, type, status, amount, currency, nullif(source, zero), nullif(destination, zero),
       nullif(system_source, zero), nullif(system_destination, zero), refunded, posted_at, position, updated_at
FROM change, (SELECT '00000000-0000-0000-0000-000000000000'::uuid AS zero) z
WHERE number NOT IN (SELECT number FROM changed)
