-- Count and two sums of independently seeded hashes of whole rows, as text: jsonb 1.0 and 1.00 are equal and must not
-- be here; in the text of a row NULL is nothing, and an empty text is "". Sums, not XOR, which forgives pairs.
SELECT count(*) AS rows,
       coalesce(sum(hashtextextended(ROW({columns})::text, 5281945087)::numeric), 0)::text AS sum_one,
       coalesce(sum(hashtextextended(ROW({columns})::text, -904610733917)::numeric), 0)::text AS sum_two
  FROM {table} WHERE {position} > $1 AND {position} <= $2
