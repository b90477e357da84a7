-- The progress of projections and what they could not apply, beside the read models themselves: one transaction
-- changes both. Readers use views of the schema; behind each is one table for each build of the projection.
CREATE SCHEMA IF NOT EXISTS summa_read;

-- One row for each build. live: what readers see. next: being built to replace it. old: what it has replaced.
-- position, holes: every event up to the position was applied, but for those in the holes ("17-17,20-24").
-- fence: of the lease under which it was last changed; a row with a greater one is not changed.
CREATE TABLE summa_read.projection_checkpoint (
  projection text NOT NULL,
  version integer NOT NULL,
  fence bigint NOT NULL DEFAULT 0,
  position bigint NOT NULL DEFAULT 0,
  holes text NOT NULL DEFAULT '',
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  build integer NOT NULL DEFAULT 1,
  role text NOT NULL DEFAULT 'live' CHECK (role IN ('live', 'next', 'old')),
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('loading', 'running', 'paused', 'failed')),
  error text,
  tables text[] NOT NULL,                 -- of the read models, without the number of the build
  role_since timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (projection, build),
  UNIQUE (projection, role)
);

-- Parts of the history of which a build is loaded, each by one session: the events after `done` up to `through` are
-- left to do.
CREATE TABLE summa_read.projection_range (
  projection text NOT NULL,
  build integer NOT NULL,
  done bigint NOT NULL,
  through bigint NOT NULL,
  events bigint NOT NULL DEFAULT 0,       -- that were applied
  PRIMARY KEY (projection, build, through),
  FOREIGN KEY (projection, build) REFERENCES summa_read.projection_checkpoint ON DELETE CASCADE
);

-- Keys for which an event could not be applied. Everything behind it waits; other keys go on.
CREATE TABLE summa_read.projection_paused_key (
  projection text NOT NULL,
  build integer NOT NULL,
  key uuid NOT NULL,
  position bigint NOT NULL,
  event_type text NOT NULL,
  error text NOT NULL,
  paused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  resume boolean NOT NULL DEFAULT false,  -- somebody wants it tried again
  PRIMARY KEY (projection, build, key),
  FOREIGN KEY (projection, build) REFERENCES summa_read.projection_checkpoint ON DELETE CASCADE
);
CREATE TABLE summa_read.projection_waiting (
  projection text NOT NULL,
  build integer NOT NULL,
  key uuid NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (projection, build, key, position),
  FOREIGN KEY (projection, build, key) REFERENCES summa_read.projection_paused_key ON DELETE CASCADE
);

-- Answers of the read models that were not those of the ledger (phases shadow-read and cutover).
CREATE TABLE summa_read.projection_difference (
  projection text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('missing', 'extra', 'different')),
  count bigint NOT NULL,
  last_at timestamptz NOT NULL,
  example text NOT NULL,
  PRIMARY KEY (projection, kind)
);

-- Events that were given up (on_error: dead_letter).
CREATE TABLE summa_read.projection_dead_letter (
  projection text NOT NULL,
  build integer NOT NULL,
  position bigint NOT NULL,
  key uuid NOT NULL,
  event_type text NOT NULL,
  error text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (projection, build, position, key),
  FOREIGN KEY (projection, build) REFERENCES summa_read.projection_checkpoint ON DELETE CASCADE
);
