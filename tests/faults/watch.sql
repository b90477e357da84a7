-- What the checker wants to know of fences, noted by the server itself. Not part of any ledger.

CREATE TABLE IF NOT EXISTS fixture.fence_log (
  number bigserial PRIMARY KEY, worker text NOT NULL, fence bigint NOT NULL, host text NOT NULL);
CREATE TABLE IF NOT EXISTS fixture.guarded_write (
  transaction xid8 NOT NULL, worker text NOT NULL, relation text NOT NULL, fence bigint, fence_owner text,
  written_by text NOT NULL, PRIMARY KEY (transaction, relation));

-- `summa-host/NAME leases` -> NAME; NULL for everybody else.
CREATE OR REPLACE FUNCTION fixture.host_of_session() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT substring(current_setting('application_name') FROM '^summa-host/([^ ]+)')
$$;

CREATE OR REPLACE FUNCTION fixture.note_fence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR NEW.fence <> OLD.fence THEN
    INSERT INTO fixture.fence_log (worker, fence, host)
    VALUES (NEW.worker, NEW.fence, coalesce(fixture.host_of_session(), '?'));
  END IF;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER note_fence AFTER INSERT OR UPDATE ON summa_host.worker_fence
  FOR EACH ROW EXECUTE FUNCTION fixture.note_fence();

-- Deferred, so that it runs in COMMIT, behind the guard of the lease.
CREATE OR REPLACE FUNCTION fixture.note_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  writer text := fixture.host_of_session();
BEGIN
  -- A verb of an operator locks the rows that it changes, and needs no lease.
  IF writer IS NULL OR writer = 'operator' THEN RETURN NULL; END IF;
  INSERT INTO fixture.guarded_write (transaction, worker, relation, fence, fence_owner, written_by)
  SELECT pg_current_xact_id(), TG_ARGV[0], TG_TABLE_NAME, f.fence,
         (SELECT host FROM fixture.fence_log l WHERE l.worker = f.worker AND l.fence = f.fence), writer
  FROM (SELECT 1) one LEFT JOIN summa_host.worker_fence f ON f.worker = TG_ARGV[0]
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
