-- Whether a migration has made the table $2 the oldest partition of the table $1, and may put slices in its place.
SELECT EXISTS (SELECT FROM summa_host.migration
               WHERE new_table = $1::bigint::oid AND old_table = $2::bigint::oid AND strategy = 'attach' AND state = 'swapped')
