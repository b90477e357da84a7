INSERT INTO @table AS v (id, reference, type, status, amount, currency, source_account_id, destination_account_id,
                         source_system_account_id, destination_system_account_id, refunded_amount, posted_at,
                         position, updated_at)
SELECT id, reference, type, status, amount, currency,
       nullif(source, '00000000-0000-0000-0000-000000000000'),
       nullif(destination, '00000000-0000-0000-0000-000000000000'),
       nullif(system_source, '00000000-0000-0000-0000-000000000000'),
       nullif(system_destination, '00000000-0000-0000-0000-000000000000'), refunded, posted_at, position, updated_at
FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::text[]) AS reference, unnest($3::text[]) AS type,
             unnest($4::text[]) AS status, unnest($5::bigint[]) AS amount, unnest($6::text[]) AS currency,
             unnest($7::uuid[]) AS source, unnest($8::uuid[]) AS destination, unnest($9::uuid[]) AS system_source,
             unnest($10::uuid[]) AS system_destination, unnest($11::bigint[]) AS refunded,
             unnest($12::timestamptz[]) AS posted_at, unnest($13::bigint[]) AS position,
             unnest($14::timestamptz[]) AS updated_at) n
