-- After plan.sql: ledger_event as a table of monthly partitions, from this month to three months ahead, in UTC. What lies
-- outside goes into the overflow partitions. A partition has the unique indexes that the table cannot have.
ALTER TABLE outbox DROP CONSTRAINT outbox_event_id_ledger_event_id_fk;
ALTER TABLE ledger_event RENAME TO ledger_event_flat;
CREATE TABLE ledger_event (LIKE ledger_event_flat INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (created_at);
ALTER SEQUENCE ledger_event_position_seq OWNED BY ledger_event.position;
DROP TABLE ledger_event_flat;
CREATE INDEX idx_ledger_event_correlation ON ledger_event (correlation_id);

DO $partitions$
DECLARE
  ahead constant integer := 3;
  this_month constant timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
  names text[] := '{ledger_event_overflow_low}';
  bounds text[] := ARRAY['MINVALUE'];  -- where each begins, and at the end where the last one ends
BEGIN
  FOR i IN 0..ahead LOOP
    names := names || ('ledger_event_' || to_char(this_month + i * interval '1 month', 'YYYY_MM'));
    bounds := bounds || to_char(this_month + i * interval '1 month', '''YYYY-MM-DD 00:00:00+00''');
  END LOOP;
  names := names || 'ledger_event_overflow_high'::text;
  bounds := bounds || to_char(this_month + (ahead + 1) * interval '1 month', '''YYYY-MM-DD 00:00:00+00''') || 'MAXVALUE'::text;
  FOR i IN 1..cardinality(names) LOOP
    EXECUTE format('CREATE TABLE %I PARTITION OF ledger_event FOR VALUES FROM (%s) TO (%s)', names[i], bounds[i],
                   bounds[i + 1]);
    EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (id), ADD UNIQUE (position)', names[i]);
    EXECUTE format('CREATE UNIQUE INDEX ON %I (aggregate_type, aggregate_id, sequence_number)', names[i]);
  END LOOP;
END
$partitions$;
