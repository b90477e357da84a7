-- What the tests of fleets look at: the rows that workers committed, and who held which lease when, written
-- down by the database in the transactions that changed it. Needs track_commit_timestamp.
CREATE SCHEMA fleet;

CREATE TABLE fleet.written (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  worker text NOT NULL,
  fence bigint NOT NULL,
  host text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE fleet.done (worker text, due timestamptz, PRIMARY KEY (worker, due));

-- Hosts (as application_name) whose workers come to their places; hosts whose commits wait.
CREATE TABLE fleet.armed (host text PRIMARY KEY);
CREATE TABLE fleet.closed (host text PRIMARY KEY);

-- Runs within COMMIT, after the guard has taken its locks.
CREATE FUNCTION fleet.wait_until_open() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
  WHILE EXISTS (SELECT FROM fleet.closed WHERE host = NEW.host) LOOP
    PERFORM pg_sleep(0.01);
  END LOOP;
  RETURN NULL;
END
$function$;
CREATE CONSTRAINT TRIGGER wait_until_open AFTER INSERT ON fleet.written
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fleet.wait_until_open();

CREATE TABLE fleet.lease_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  worker text NOT NULL,
  holder text NOT NULL,
  until timestamptz NOT NULL,
  before_holder text,
  before_until timestamptz,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  xact xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX ON fleet.lease_log (xact);
CREATE FUNCTION fleet.log_lease() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
  INSERT INTO fleet.lease_log (worker, holder, until, before_holder, before_until)
  VALUES (NEW.worker_id, NEW.lease_holder, NEW.lease_until, OLD.lease_holder, OLD.lease_until);
  RETURN NULL;
END
$function$;
CREATE TRIGGER log_lease AFTER INSERT OR UPDATE ON worker_lease
  FOR EACH ROW EXECUTE FUNCTION fleet.log_lease();

CREATE TABLE fleet.fence_log (
  worker text NOT NULL,
  fence bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  xact xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (worker, fence)
);
CREATE FUNCTION fleet.log_fence() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
  IF NEW.fence IS DISTINCT FROM OLD.fence THEN
    INSERT INTO fleet.fence_log (worker, fence) VALUES (NEW.worker, NEW.fence);
  END IF;
  RETURN NULL;
END
$function$;
CREATE TRIGGER log_fence AFTER INSERT OR UPDATE ON summa_host.worker_fence
  FOR EACH ROW EXECUTE FUNCTION fleet.log_fence();

CREATE TABLE fleet.due_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  worker text NOT NULL,
  due timestamptz NOT NULL,
  before_due timestamptz,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION fleet.log_due() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
  IF NEW.next_due_at IS DISTINCT FROM OLD.next_due_at THEN
    INSERT INTO fleet.due_log (worker, due, before_due)
    VALUES (NEW.worker_id, NEW.next_due_at, OLD.next_due_at);
  END IF;
  RETURN NULL;
END
$function$;
CREATE TRIGGER log_due AFTER INSERT OR UPDATE ON summa_host.worker_state
  FOR EACH ROW EXECUTE FUNCTION fleet.log_due();

-- A fence and how long after the end of the lease before it was given. A lease that is let go ends at that moment.
CREATE VIEW fleet.handover AS
SELECT f.worker, f.fence, f.at, l.holder, l.before_holder, l.before_until, f.at - l.before_until AS gap
FROM fleet.fence_log f JOIN fleet.lease_log l ON l.xact = f.xact AND l.worker = f.worker;

-- What must never be. Commit times are in the order of the commits here: whoever takes a lease waits for the
-- commits under it.
CREATE VIEW fleet.violation AS
SELECT 'row ' || w.id || ' of ' || w.worker || ' was committed outside the time of fence ' || w.fence AS what
FROM fleet.written w
LEFT JOIN fleet.fence_log own ON own.worker = w.worker AND own.fence = w.fence
LEFT JOIN fleet.fence_log next ON next.worker = w.worker AND next.fence = w.fence + 1
WHERE own.fence IS NULL
   OR pg_xact_commit_timestamp(w.xmin) <= pg_xact_commit_timestamp(own.xmin)
   OR pg_xact_commit_timestamp(w.xmin) >= pg_xact_commit_timestamp(next.xmin)
UNION ALL
SELECT 'row ' || w.id || ' of ' || w.worker || ' was committed after ' || next.holder || ' had the lease'
FROM fleet.written w
JOIN fleet.fence_log f ON f.worker = w.worker AND f.fence = w.fence
JOIN fleet.lease_log own ON own.xact = f.xact AND own.worker = f.worker
JOIN LATERAL (SELECT n.* , n.xmin AS change FROM fleet.lease_log n
              WHERE n.worker = own.worker AND n.id > own.id AND n.holder <> own.holder
              ORDER BY n.id LIMIT 1) next ON true
WHERE pg_xact_commit_timestamp(w.xmin) >= pg_xact_commit_timestamp(next.change)
UNION ALL
SELECT 'fence ' || fence || ' of ' || worker || ' came after ' || coalesce(before, 0)
FROM (SELECT worker, fence, lag(fence) OVER (PARTITION BY worker ORDER BY pg_xact_commit_timestamp(xmin)) AS before
      FROM fleet.fence_log) f
WHERE fence <> coalesce(before, 0) + 1
UNION ALL
SELECT 'the lease of ' || worker || ' went from ' || before_holder || ' to ' || holder || ' before its end'
FROM fleet.lease_log
WHERE before_holder <> holder AND before_until > at
  AND holder <> 'idle:' || left(before_holder, 95) AND NOT starts_with(before_holder, 'idle:');
