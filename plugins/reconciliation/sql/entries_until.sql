-- Up to where every entry is visible to this snapshot, which was taken after the transactions that were open had been
-- looked at ($1: what they leave, see open_transactions.sql). NULL: nobody knows.
SELECT CASE WHEN $1::timestamptz IS NOT NULL THEN least((SELECT max(created_at) FROM entry_record), $1::timestamptz) END
