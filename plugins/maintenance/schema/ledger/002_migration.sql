-- What a migration to partitions has decided, and how far it is. Changed in the transaction of what it describes.
CREATE TABLE summa_host.migration (
    operation bigint PRIMARY KEY REFERENCES summa_host.operation (id) ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'planned' CHECK (state IN (
        'planned', 'syncing', 'backfilling', 'indexing', 'verifying', 'ready', 'swapped', 'finalized',
        'restored', 'rolled_back', 'aborted')),
    strategy text NOT NULL CHECK (strategy IN ('online', 'attach')),
    range_interval text NOT NULL,
    verify_level text NOT NULL CHECK (verify_level IN ('counts', 'checksum', 'bytes')),
    batch_size bigint NOT NULL,
    workers integer NOT NULL,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    old_table oid NOT NULL,                      -- the flat table, whatever its name is
    new_table oid,                               -- the partitioned one
    fingerprint text NOT NULL,                   -- of the flat table: must not change before the swap
    estimate jsonb NOT NULL,                     -- rows, bytes needed, bytes known to be free
    bound timestamptz,                           -- of strategy attach: where the first new partition begins
    base_position bigint,                        -- positions above it, and up to the next, are copied in chunks
    through_position bigint,
    sealed_position bigint,                      -- up to here every chunk is in both tables and is verified, or will be
    guard_position bigint,                       -- up to here the guard is filled
    backfill_xid text,                           -- snapshots that are not younger may not see all that was copied
    swap_position bigint,                        -- the highest position when the tables were exchanged
    index_names jsonb,                           -- of the flat table before the exchange, by oid
    -- Of strategy attach after the exchange: the flat table, now the oldest partition, is put into slices.
    slice_state text NOT NULL DEFAULT '' CHECK (slice_state IN (
        '', 'frozen', 'copying', 'indexing', 'verifying', 'ready', 'exchanged', 'restored')),
    slice_table oid,                             -- the slices are its partitions until they take the flat table's place
    request text CHECK (request IN ('swap', 'rollback', 'finalize', 'abort')),
    verification text NOT NULL DEFAULT '',
    verification_failed boolean NOT NULL DEFAULT false,
    waiting_for text NOT NULL DEFAULT '',
    exclusive_lock_us bigint,
    canary_at timestamptz                        -- changed to measure how long a commit takes
);
