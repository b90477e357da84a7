-- How many locks the server has room for, and how many an exchange of $2 slices of the table $1 takes at most: of each
-- slice itself, its TOAST table with its index, and its indexes.
SELECT pg_catalog.current_setting('max_locks_per_transaction')::bigint
         * (pg_catalog.current_setting('max_connections')::bigint
            + pg_catalog.current_setting('max_prepared_transactions')::bigint) AS room,
       $2::bigint * (3 + (SELECT count(*) FROM pg_catalog.pg_index WHERE indrelid = $1::bigint::oid)) AS needed,
       pg_catalog.current_setting('max_locks_per_transaction')::bigint AS setting
