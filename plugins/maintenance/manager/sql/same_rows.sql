-- Whether two sets of rows are equal, each row as often in one as in the other.
SELECT l.rows = r.rows AND l.hash = r.hash
FROM (SELECT count(*) AS rows, coalesce(sum(hashtextextended(ROW({columns})::text, 0)::numeric), 0) AS hash
      FROM {left} one) l,
     (SELECT count(*) AS rows, coalesce(sum(hashtextextended(ROW({columns})::text, 0)::numeric), 0) AS hash
      FROM {right} other) r
