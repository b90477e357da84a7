-- What a forger has at hand, for both layouts: :position, :version, :hash and :previous name the columns.
CREATE SCHEMA tamper;
CREATE TABLE tamper.victim (id uuid);  -- the event a case is about
CREATE TABLE tamper.hash_snapshot (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregate_type text NOT NULL, aggregate_id uuid NOT NULL,
  snapshot_version bigint NOT NULL, snapshot_hash text NOT NULL, event_count bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), UNIQUE (aggregate_type, aggregate_id, snapshot_version));

-- Hashes an event anew after its data was changed.
CREATE FUNCTION tamper.rehash(p_id uuid) RETURNS void LANGUAGE sql AS $$
  UPDATE ledger_event SET :hash = :hash_function(:previous, event_data) WHERE id = p_id
$$;

-- Links and hashes a chain anew from a version on.
CREATE FUNCTION tamper.rewrite(p_type text, p_id uuid, p_from bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  event record;
  last text;
BEGIN
  FOR event IN SELECT id, :version AS version FROM ledger_event
               WHERE aggregate_type = p_type AND aggregate_id = p_id ORDER BY :version LOOP
    IF event.version >= p_from THEN
      UPDATE ledger_event SET :previous = last, :hash = :hash_function(last, event_data) WHERE id = event.id;
    END IF;
    SELECT :hash INTO last FROM ledger_event WHERE id = event.id;
  END LOOP;
END
$$;

CREATE FUNCTION tamper.events_hash(p_from bigint, p_to bigint) RETURNS text LANGUAGE sql AS $$
  SELECT encode(sha256(coalesce(string_agg(:hash, '' ORDER BY :position), '')::bytea), 'hex')
  FROM ledger_event WHERE :position BETWEEN p_from AND p_to
$$;

-- A block over what is visible, as Summa makes it.
CREATE FUNCTION tamper.make_block() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  before block_checkpoint;
  low bigint;
  high bigint;
  total bigint;
  hashed text;
BEGIN
  SELECT * INTO before FROM block_checkpoint ORDER BY block_sequence DESC LIMIT 1;
  SELECT min(:position), max(:position), count(*) INTO low, high, total FROM ledger_event
  WHERE :position > coalesce(before.to_event_sequence, 0);
  hashed := tamper.events_hash(low, high);
  INSERT INTO block_checkpoint (from_event_sequence, to_event_sequence, event_count, events_hash, block_hash,
                                prev_block_id, prev_block_hash)
  VALUES (low, high, total, hashed, encode(sha256((coalesce(before.block_hash, '') || hashed)::bytea), 'hex'),
          before.id, before.block_hash);
END
$$;

-- Makes a block fit the events below it again; with p_and_later also all that follow.
CREATE FUNCTION tamper.rewrite_block(p_sequence bigint, p_and_later boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  block block_checkpoint;
  last text;
BEGIN
  SELECT prev_block_hash INTO last FROM block_checkpoint WHERE block_sequence = p_sequence;
  FOR block IN SELECT * FROM block_checkpoint WHERE block_sequence >= p_sequence ORDER BY block_sequence LOOP
    UPDATE block_checkpoint SET events_hash = hashed, prev_block_hash = last,
      block_hash = encode(sha256((coalesce(last, '') || hashed)::bytea), 'hex')
    FROM tamper.events_hash(block.from_event_sequence, block.to_event_sequence) AS hashed WHERE id = block.id;
    SELECT block_hash INTO last FROM block_checkpoint WHERE id = block.id;
    EXIT WHEN NOT p_and_later;
  END LOOP;
END
$$;

CREATE FUNCTION tamper.take_snapshots() RETURNS void LANGUAGE sql AS $$
  INSERT INTO tamper.hash_snapshot (aggregate_type, aggregate_id, snapshot_version, snapshot_hash, event_count)
  SELECT DISTINCT ON (aggregate_type, aggregate_id) aggregate_type, aggregate_id, :version, :hash, :version
  FROM ledger_event ORDER BY aggregate_type, aggregate_id, :version DESC
$$;
