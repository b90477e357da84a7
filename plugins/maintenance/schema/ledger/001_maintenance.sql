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
    kept_count bigint NOT NULL DEFAULT 0,        -- of these rows, those that stay in the table, in a remainder
    bytes bigint,
    location text,
    sha256 text,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    UNIQUE (parent, name)
);

-- Where the chains of a detached partition begin and end: one row for each run of consecutive versions.
CREATE TABLE summa_host.partition_edge (
    record bigint NOT NULL REFERENCES summa_host.partition_record (id) ON DELETE CASCADE,
    aggregate_type text NOT NULL,
    aggregate_id uuid NOT NULL,
    first_version bigint NOT NULL,
    first_previous_hash text,
    last_version bigint NOT NULL,
    last_hash text NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, record, first_version)
);

-- Partitions with the last events of chains that may go on, in the place of ranges that have left.
CREATE TABLE summa_host.partition_remainder (
    parent text NOT NULL,
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('making', 'attached')),
    PRIMARY KEY (parent, name)
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

-- The guard. A new ledger needs it before its first row, and `migrate --create-ledger` runs no code of this plugin:
-- therefore it is made by functions of the database. make_ledger_event_guard creates the trigger functions for a table,
-- install_ledger_event_guard puts the triggers on it.

-- Called when an event's id or position is taken: says it as the flat table's constraints would.
CREATE FUNCTION summa_host.refuse_ledger_event_key(leaf oid, event_id uuid, event_position bigint,
    position_column text, id_constraint text, position_constraint text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  root regclass := coalesce(pg_partition_root(leaf::regclass), leaf::regclass);
  root_schema name;
  root_name name;
  same_id boolean := EXISTS (SELECT FROM summa_host.ledger_event_key k WHERE k.id = event_id);
BEGIN
  SELECT n.nspname, c.relname INTO root_schema, root_name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = root;
  RAISE unique_violation USING
    MESSAGE = format('duplicate key value violates unique constraint "%s"',
                     CASE WHEN same_id THEN id_constraint ELSE position_constraint END),
    DETAIL = CASE WHEN same_id THEN format('Key (id)=(%s) already exists.', event_id)
                  ELSE format('Key (%s)=(%s) already exists.', quote_ident(position_column), event_position) END,
    SCHEMA = root_schema, TABLE = root_name,
    CONSTRAINT = CASE WHEN same_id THEN id_constraint ELSE position_constraint END;
END
$function$;

-- Called when the head of an event's aggregate did not move on to it. Says why, or moves it: an event may be older than
-- the one before as long as both are in one partition.
CREATE FUNCTION summa_host.refuse_ledger_event_version(leaf oid, type text, aggregate uuid, new_version bigint,
    new_hash text, previous text, new_time timestamptz, version_column text, version_constraint text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  root regclass := coalesce(pg_partition_root(leaf::regclass), leaf::regclass);
  root_schema name;
  root_name name;
  bounds text := pg_get_partition_constraintdef(leaf);
  same_partition boolean := true;
  head summa_host.ledger_event_head;
BEGIN
  SELECT n.nspname, c.relname INTO root_schema, root_name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = root;
  SELECT * INTO head FROM summa_host.ledger_event_head h WHERE h.aggregate_type = type AND h.aggregate_id = aggregate;
  IF head.version >= new_version AND new_version >= 1 THEN
    RAISE unique_violation USING
      MESSAGE = format('duplicate key value violates unique constraint "%s"', version_constraint),
      DETAIL = format('Key (aggregate_type, aggregate_id, %s)=(%s, %s, %s) already exists.',
                      quote_ident(version_column), type, aggregate, new_version),
      SCHEMA = root_schema, TABLE = root_name, CONSTRAINT = version_constraint;
  END IF;
  IF new_version IS DISTINCT FROM coalesce(head.version, 0) + 1 THEN
    RAISE check_violation USING
      MESSAGE = format('event %s of %s %s does not follow: the last one is %s', coalesce(new_version::text, 'NULL'),
                       type, aggregate, coalesce(head.version::text, 'none')),
      SCHEMA = root_schema, TABLE = root_name;
  END IF;
  IF head.hash IS DISTINCT FROM previous THEN
    RAISE check_violation USING
      MESSAGE = format('event %s of %s %s has the previous hash %s, but the last event has the hash %s', new_version,
                       type, aggregate, coalesce(previous, 'NULL'), coalesce(head.hash, 'NULL')),
      SCHEMA = root_schema, TABLE = root_name;
  END IF;
  IF bounds IS NOT NULL AND head.version IS NOT NULL THEN
    EXECUTE 'SELECT ' || bounds || ' FROM (SELECT $1 AS created_at) event' INTO same_partition USING head.created_at;
  END IF;
  IF NOT same_partition THEN
    RAISE serialization_failure USING
      MESSAGE = format('event %s of %s %s would go back in time into another partition', new_version, type, aggregate),
      DETAIL = format('Its time is %s, that of the event before %s.', new_time, head.created_at),
      HINT = 'Try the transaction again.',
      SCHEMA = root_schema, TABLE = root_name;
  END IF;
  UPDATE summa_host.ledger_event_head h SET version = new_version, hash = new_hash, created_at = new_time
    WHERE h.aggregate_type = type AND h.aggregate_id = aggregate AND h.version = new_version - 1 AND h.hash = previous;
  IF NOT FOUND THEN
    RAISE serialization_failure USING
      MESSAGE = format('could not serialize event %s of %s %s due to a concurrent change', new_version, type, aggregate),
      HINT = 'Try the transaction again.', SCHEMA = root_schema, TABLE = root_name;
  END IF;
END
$function$;

-- TRUNCATE of the whole table would leave heads and keys behind.
CREATE FUNCTION summa_host.refuse_ledger_event_truncate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
  RAISE feature_not_supported USING MESSAGE = format('table "%s" cannot be truncated: its events are guarded', TG_TABLE_NAME),
    HINT = 'Detach the partitions that are to go.';
END
$function$;

-- Creates or replaces the trigger functions for the columns of `events`. Their owner writes heads and keys; who appends
-- needs no right on them. Names of columns are those of the layout.
CREATE FUNCTION summa_host.make_ledger_event_guard(events regclass, version_constraint text, id_constraint text,
    position_constraint text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  plan boolean := EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = events AND a.attname = 'event_hash'
                          AND NOT a.attisdropped);
  version text := CASE WHEN plan THEN 'sequence_number' ELSE 'aggregate_version' END;
  hash text := CASE WHEN plan THEN 'event_hash' ELSE 'hash' END;
  previous text := CASE WHEN plan THEN 'previous_hash' ELSE 'prev_hash' END;
  place text := CASE WHEN plan THEN 'position' ELSE 'sequence_number' END;
BEGIN
  EXECUTE replace(replace(replace(replace(format($body$
CREATE OR REPLACE FUNCTION summa_host.guard_ledger_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
  IF NEW.id IS NULL OR NEW.@place IS NULL OR NEW.aggregate_type IS NULL OR NEW.aggregate_id IS NULL
     OR NEW.@version IS NULL OR NEW.@hash IS NULL THEN
    RETURN NEW;  -- refused by NOT NULL
  END IF;
  INSERT INTO summa_host.ledger_event_key (id, position, created_at) VALUES (NEW.id, NEW.@place, NEW.created_at)
    ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    PERFORM summa_host.refuse_ledger_event_key(TG_RELID, NEW.id, NEW.@place, '@place', %2$L, %3$L);
  END IF;
  IF NEW.@version = 1 AND NEW.@previous IS NULL THEN
    INSERT INTO summa_host.ledger_event_head (aggregate_type, aggregate_id, version, hash, created_at)
      VALUES (NEW.aggregate_type, NEW.aggregate_id, 1, NEW.@hash, NEW.created_at) ON CONFLICT DO NOTHING;
  ELSE
    UPDATE summa_host.ledger_event_head SET version = NEW.@version, hash = NEW.@hash, created_at = NEW.created_at
      WHERE aggregate_type = NEW.aggregate_type AND aggregate_id = NEW.aggregate_id AND version = NEW.@version - 1
        AND hash = NEW.@previous AND created_at <= NEW.created_at;
  END IF;
  IF NOT FOUND THEN
    PERFORM summa_host.refuse_ledger_event_version(TG_RELID, NEW.aggregate_type, NEW.aggregate_id, NEW.@version,
      NEW.@hash, NEW.@previous, NEW.created_at, '@version', %1$L);
  END IF;
  RETURN NEW;
END
$guard$$body$, version_constraint, id_constraint, position_constraint),
    '@version', version), '@hash', hash), '@previous', previous), '@place', place);
  -- An event keeps its identity and its place. The hash may be corrected; the next event follows the corrected one.
  EXECUTE replace(replace(replace($body$
CREATE OR REPLACE FUNCTION summa_host.guard_ledger_event_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
  IF (NEW.id, NEW.@place, NEW.aggregate_type, NEW.aggregate_id, NEW.@version, NEW.created_at) IS DISTINCT FROM
     (OLD.id, OLD.@place, OLD.aggregate_type, OLD.aggregate_id, OLD.@version, OLD.created_at) THEN
    RAISE check_violation USING
      MESSAGE = format('event %s keeps its id, @place, aggregate, @version and created_at', OLD.id),
      HINT = 'Delete the event and insert the right one.', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
  END IF;
  IF NEW.@hash <> OLD.@hash THEN
    UPDATE summa_host.ledger_event_head h SET hash = NEW.@hash
      WHERE h.aggregate_type = NEW.aggregate_type AND h.aggregate_id = NEW.aggregate_id AND h.version = NEW.@version;
  END IF;
  RETURN NEW;
END
$guard$$body$, '@version', version), '@hash', hash), '@place', place);
  -- The key goes with the event, and with it what references it decides. The head goes back to the last event that there
  -- is, or was in a partition that is detached.
  EXECUTE replace(replace($body$
CREATE OR REPLACE FUNCTION summa_host.guard_ledger_event_delete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $guard$
DECLARE
  last summa_host.ledger_event_head;
BEGIN
  DELETE FROM summa_host.ledger_event_key k WHERE k.id = OLD.id;
  EXECUTE format('SELECT aggregate_type, aggregate_id, @version, @hash, created_at FROM %s WHERE aggregate_type = $1 '
    'AND aggregate_id = $2 AND @version < $3 UNION ALL SELECT p.aggregate_type, p.aggregate_id, p.last_version, '
    'p.last_hash, r.to_time - interval ''1 microsecond'' FROM summa_host.partition_edge p '
    'JOIN summa_host.partition_record r ON r.id = p.record AND r.state <> ''attached'' '
    'WHERE p.aggregate_type = $1 AND p.aggregate_id = $2 AND p.last_version < $3 ORDER BY 3 DESC LIMIT 1',
    coalesce(pg_partition_root(TG_RELID), TG_RELID)::regclass)
    INTO last USING OLD.aggregate_type, OLD.aggregate_id, OLD.@version;
  IF last.version IS NULL THEN
    DELETE FROM summa_host.ledger_event_head h WHERE h.aggregate_type = OLD.aggregate_type
      AND h.aggregate_id = OLD.aggregate_id AND h.version = OLD.@version;
  ELSE
    UPDATE summa_host.ledger_event_head h SET version = last.version, hash = last.hash, created_at = last.created_at
      WHERE h.aggregate_type = OLD.aggregate_type AND h.aggregate_id = OLD.aggregate_id AND h.version = OLD.@version;
  END IF;
  RETURN NULL;
END
$guard$$body$, '@version', version), '@hash', hash);
  REVOKE ALL ON FUNCTION summa_host.guard_ledger_event(), summa_host.guard_ledger_event_update(),
    summa_host.guard_ledger_event_delete() FROM PUBLIC;
END
$function$;

-- Puts the triggers on `events`; every partition, also a later one, gets those of rows. Rows that are there already need
-- their heads and keys first. BEFORE triggers run in the order of their names, and the guard must see the final row.
CREATE FUNCTION summa_host.install_ledger_event_guard(events regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
  EXECUTE format('CREATE TRIGGER zz_summa_guard BEFORE INSERT ON %s FOR EACH ROW '
                 'EXECUTE FUNCTION summa_host.guard_ledger_event()', events);
  EXECUTE format('CREATE TRIGGER zz_summa_guard_update BEFORE UPDATE ON %s FOR EACH ROW '
                 'EXECUTE FUNCTION summa_host.guard_ledger_event_update()', events);
  EXECUTE format('CREATE TRIGGER zz_summa_guard_delete AFTER DELETE ON %s FOR EACH ROW '
                 'EXECUTE FUNCTION summa_host.guard_ledger_event_delete()', events);
  EXECUTE format('CREATE TRIGGER zz_summa_guard_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT '
                 'EXECUTE FUNCTION summa_host.refuse_ledger_event_truncate()', events);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER zz_summa_guard, ENABLE ALWAYS TRIGGER zz_summa_guard_update, '
                 'ENABLE ALWAYS TRIGGER zz_summa_guard_delete, ENABLE ALWAYS TRIGGER zz_summa_guard_truncate', events);
END
$function$;

REVOKE ALL ON FUNCTION summa_host.refuse_ledger_event_key(oid, uuid, bigint, text, text, text),
  summa_host.refuse_ledger_event_version(oid, text, uuid, bigint, text, text, timestamptz, text, text),
  summa_host.refuse_ledger_event_truncate(), summa_host.make_ledger_event_guard(regclass, text, text, text),
  summa_host.install_ledger_event_guard(regclass) FROM PUBLIC;
