-- The rows above position $1 of both tables, at most $2 of each: how many the flat one has, the highest position, and
-- whether the tables are equal there. The sums are those of fingerprint.sql.
SELECT f.rows, coalesce(f.highest, $1::bigint) AS highest,
       (f.rows, f.highest, f.one, f.two) IS NOT DISTINCT FROM (c.rows, c.highest, c.one, c.two) AS equal
  FROM (SELECT count(*) AS rows, max(position) AS highest, sum(hashtextextended(line, 5281945087)) AS one,
               sum(hashtextextended(line, -904610733917)) AS two
          FROM (SELECT {position} AS position, ROW({columns})::text AS line
                  FROM {flat} WHERE {position} > $1 ORDER BY {position} LIMIT $2) tail) f,
       (SELECT count(*) AS rows, max(position) AS highest, sum(hashtextextended(line, 5281945087)) AS one,
               sum(hashtextextended(line, -904610733917)) AS two
          FROM (SELECT {position} AS position, ROW({columns})::text AS line
                  FROM {partitioned} WHERE {position} > $1 ORDER BY {position} LIMIT $2) tail) c
