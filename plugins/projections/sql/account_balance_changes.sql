-- For a build to which nobody else writes: no row can appear between UPDATE and INSERT. ON CONFLICT would find a row
-- twice, once to lock it, which the WAL records as well. The planner believes that a sub-SELECT has ten elements, so it
-- probes the index for each instead of reading the whole table.
WITH change AS (
  SELECT * FROM unnest((SELECT $1::uuid[]), (SELECT $2::text[]), (SELECT $3::text[]), (SELECT $4::text[]),
                       (SELECT $5::text[]), (SELECT $6::bigint[]), (SELECT $7::bigint[]), (SELECT $8::bigint[]),
                       (SELECT $9::bigint[]), (SELECT $10::timestamptz[])) WITH ORDINALITY
       AS n (id, holder_id, holder_type, currency, status, credits, debits, held, position, updated_at, number)
), changed AS (
  UPDATE @table v SET
    balance = v.balance + n.credits - n.debits,
    available_balance = v.available_balance + n.credits - n.debits - n.held,
    pending_debit = v.pending_debit + n.held,
    credit_balance = v.credit_balance + n.credits,
    debit_balance = v.debit_balance + n.debits,
    status = n.status,
    position = greatest(v.position, n.position),
    updated_at = greatest(v.updated_at, n.updated_at)
  FROM change n WHERE v.id = n.id
  RETURNING n.number
)
INSERT INTO @table (id, holder_id, holder_type, currency, balance, available_balance, pending_debit, credit_balance,
                    debit_balance, status, position, updated_at)
SELECT id, holder_id, holder_type, currency, credits - debits, credits - debits - held, held, credits, debits, status,
       position, updated_at
FROM change WHERE number NOT IN (SELECT number FROM changed)
