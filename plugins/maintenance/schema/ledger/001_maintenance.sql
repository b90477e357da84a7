-- The last event of each aggregate of a partitioned ledger_event. An append changes one row; the free space keeps these
-- changes out of the indexes.
CREATE TABLE summa_host.ledger_event_head (
    aggregate_type text NOT NULL,
    aggregate_id uuid NOT NULL,
    version bigint NOT NULL,
    hash text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
) WITH (fillfactor = 70);

-- One row for each event of a partitioned ledger_event: unique across partitions, and what foreign keys reference.
CREATE TABLE summa_host.ledger_event_key (
    id uuid PRIMARY KEY,
    position bigint NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);

-- Partitions that have left their table, or are leaving it.
CREATE TABLE summa_host.partition_record (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent text NOT NULL,
    name text NOT NULL,
    from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('detaching', 'detached', 'archived', 'attached')),
    row_count bigint,
    bytes bigint,
    location text,
    sha256 text,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    UNIQUE (parent, name)
);

-- Where the chains of a detached partition begin and end.
CREATE TABLE summa_host.partition_edge (
    record bigint NOT NULL REFERENCES summa_host.partition_record (id) ON DELETE CASCADE,
    aggregate_type text NOT NULL,
    aggregate_id uuid NOT NULL,
    first_version bigint NOT NULL,
    first_previous_hash text,
    last_version bigint NOT NULL,
    last_hash text NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, record)
);

-- The chunks of a migration: each is copied, and verified, in one transaction with its row.
CREATE TABLE summa_host.migration_chunk (
    operation bigint NOT NULL REFERENCES summa_host.operation (id) ON DELETE CASCADE,
    number bigint NOT NULL,
    after_position bigint NOT NULL,
    through_position bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('copied', 'verified')),
    row_count bigint NOT NULL,
    PRIMARY KEY (operation, number)
);
