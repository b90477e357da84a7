-- Count and two sums of independently seeded hashes of whole rows, as text: jsonb 1.0 and 1.00 are equal and must not
-- be here; in the text of a row NULL is nothing, and an empty text is "". Sums, not XOR, which forgives pairs. By OFFSET
-- 0 the text, which costs most, is made once for both; sums of bigint do not overflow.
SELECT count(*) AS rows, coalesce(sum(hashtextextended(line, 5281945087)), 0)::text AS sum_one,
       coalesce(sum(hashtextextended(line, -904610733917)), 0)::text AS sum_two
  FROM (SELECT ROW({columns})::text AS line FROM {table} WHERE {position} > $1 AND {position} <= $2 OFFSET 0) e
