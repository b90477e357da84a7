-- A ledger of the plan in an empty schema: every table as Summa deploys it, but ledger_event, which has a version per
-- aggregate (sequence_number), the hashes by the plan's names and a global position. The columns, defaults and
-- indexes of the others are those the background plane and Summa's own code rely on.

CREATE TABLE account_balance (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  ledger_id uuid NOT NULL DEFAULT gen_random_uuid(),
  indicator varchar(255),
  holder_id varchar(255) NOT NULL,
  holder_type varchar(100) NOT NULL,
  balance bigint NOT NULL DEFAULT 0,
  credit_balance bigint NOT NULL DEFAULT 0,
  debit_balance bigint NOT NULL DEFAULT 0,
  pending_credit bigint NOT NULL DEFAULT 0,
  pending_debit bigint NOT NULL DEFAULT 0,
  currency char(3) NOT NULL DEFAULT 'INR',
  lock_version integer NOT NULL DEFAULT 1,
  last_sequence_number bigint NOT NULL DEFAULT 0,
  allow_overdraft boolean NOT NULL DEFAULT false,
  overdraft_limit bigint,
  status varchar(20) NOT NULL DEFAULT 'active',
  freeze_reason text,
  frozen_at timestamptz,
  frozen_by varchar(100),
  closed_at timestamptz,
  closed_by varchar(100),
  closure_reason text,
  metadata jsonb NOT NULL DEFAULT '{}'::jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT account_balance_indicator_unique UNIQUE (indicator)
);
CREATE UNIQUE INDEX uq_account_balance_holder ON account_balance (ledger_id, holder_id, holder_type, currency);
CREATE UNIQUE INDEX uq_account_balance_holder_currency ON account_balance (holder_id, currency);
CREATE INDEX idx_account_balance_sequence ON account_balance (last_sequence_number);
CREATE INDEX idx_account_balance_status ON account_balance (status);
CREATE INDEX idx_account_balance_holder_lookup ON account_balance (holder_id, holder_type);

CREATE TABLE system_account (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  identifier varchar(100) NOT NULL,
  name varchar(255) NOT NULL,
  balance bigint NOT NULL DEFAULT 0,
  credit_balance bigint NOT NULL DEFAULT 0,
  debit_balance bigint NOT NULL DEFAULT 0,
  allow_overdraft boolean NOT NULL DEFAULT true,
  currency char(3) NOT NULL DEFAULT 'INR',
  lock_version integer NOT NULL DEFAULT 1,
  last_sequence_number bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT system_account_identifier_unique UNIQUE (identifier)
);

CREATE TABLE transaction_record (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  reference varchar(255) NOT NULL,
  status varchar(20) NOT NULL DEFAULT 'pending',
  amount bigint NOT NULL,
  currency char(3) NOT NULL DEFAULT 'INR',
  description text,
  source_account_id uuid,
  destination_account_id uuid,
  source_system_account_id uuid,
  destination_system_account_id uuid,
  is_hold boolean NOT NULL DEFAULT false,
  committed_amount bigint,
  hold_expires_at timestamptz,
  processing_at timestamptz,
  parent_id uuid,
  is_reversal boolean NOT NULL DEFAULT false,
  refunded_amount bigint NOT NULL DEFAULT 0,
  correlation_id uuid NOT NULL DEFAULT gen_random_uuid(),
  meta_data jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  posted_at timestamptz,
  CONSTRAINT transaction_record_reference_unique UNIQUE (reference)
);
CREATE INDEX idx_txn_record_status ON transaction_record (status);
CREATE INDEX idx_txn_record_reference ON transaction_record (reference);
CREATE INDEX idx_txn_record_source ON transaction_record (source_account_id);
CREATE INDEX idx_txn_record_destination ON transaction_record (destination_account_id);
CREATE INDEX idx_txn_record_hold_expiry ON transaction_record (hold_expires_at);
CREATE INDEX idx_txn_record_parent ON transaction_record (parent_id);
CREATE INDEX idx_txn_record_correlation ON transaction_record (correlation_id);
CREATE INDEX idx_txn_record_created_at ON transaction_record (created_at);

CREATE TABLE entry_record (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  transaction_id uuid NOT NULL,
  account_id uuid,
  system_account_id uuid,
  entry_type varchar(10) NOT NULL,
  amount bigint NOT NULL,
  currency char(3) NOT NULL DEFAULT 'INR',
  balance_before bigint,
  balance_after bigint,
  is_hot_account boolean NOT NULL DEFAULT false,
  account_lock_version integer,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT entry_record_transaction_id_transaction_record_id_fk
    FOREIGN KEY (transaction_id) REFERENCES transaction_record (id),
  CONSTRAINT entry_record_account_id_account_balance_id_fk
    FOREIGN KEY (account_id) REFERENCES account_balance (id),
  CONSTRAINT entry_record_system_account_id_system_account_id_fk
    FOREIGN KEY (system_account_id) REFERENCES system_account (id)
);
CREATE INDEX idx_entry_record_transaction ON entry_record (transaction_id);
CREATE INDEX idx_entry_record_account ON entry_record (account_id);
CREATE INDEX idx_entry_record_system_account ON entry_record (system_account_id);
CREATE INDEX idx_entry_record_version ON entry_record (account_id, account_lock_version);
CREATE INDEX idx_entry_record_created_at ON entry_record (created_at);

CREATE TABLE hot_account_entry (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  sequence_number bigserial NOT NULL,
  account_id uuid NOT NULL,
  amount bigint NOT NULL,
  entry_type varchar(10) NOT NULL,
  transaction_id uuid NOT NULL,
  status varchar(20) NOT NULL DEFAULT 'pending',
  created_at timestamptz NOT NULL DEFAULT now(),
  processed_at timestamptz,
  CONSTRAINT hot_account_entry_sequence_number_unique UNIQUE (sequence_number)
);
CREATE INDEX idx_hot_account_pending ON hot_account_entry (status, account_id, sequence_number);

CREATE TABLE hot_account_failed_sequence (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  account_id uuid NOT NULL,
  entry_ids jsonb NOT NULL,
  error_message text,
  net_delta bigint NOT NULL DEFAULT 0,
  credit_delta bigint NOT NULL DEFAULT 0,
  debit_delta bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_hot_account_failed_account ON hot_account_failed_sequence (account_id);

CREATE TABLE account_transaction_log (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  account_id uuid NOT NULL,
  ledger_txn_id uuid NOT NULL,
  txn_type varchar(20) NOT NULL,
  amount bigint NOT NULL,
  category varchar(50),
  reference varchar(255),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT account_transaction_log_account_id_account_balance_id_fk
    FOREIGN KEY (account_id) REFERENCES account_balance (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX idx_txn_log_txn_account ON account_transaction_log (ledger_txn_id, account_id);
CREATE INDEX idx_txn_log_account_time ON account_transaction_log (account_id, created_at);
CREATE INDEX idx_txn_log_account_category ON account_transaction_log (account_id, category, created_at);

CREATE TABLE ledger_event (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  aggregate_type text NOT NULL,
  aggregate_id uuid NOT NULL,
  event_type text NOT NULL,
  event_data jsonb NOT NULL,
  sequence_number bigint NOT NULL,
  previous_hash text,
  event_hash text NOT NULL,
  correlation_id text,
  created_at timestamptz NOT NULL DEFAULT now(),
  position bigserial NOT NULL,
  CONSTRAINT ledger_event_position_unique UNIQUE (position),
  CONSTRAINT ledger_event_sequence_number_check CHECK (sequence_number >= 1)
);
CREATE UNIQUE INDEX uq_ledger_event_aggregate_version
  ON ledger_event (aggregate_type, aggregate_id, sequence_number);
CREATE INDEX idx_ledger_event_correlation ON ledger_event (correlation_id);

CREATE TABLE outbox (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  event_id uuid,
  topic varchar(100) NOT NULL,
  payload jsonb NOT NULL,
  status varchar(20) NOT NULL DEFAULT 'pending',
  retry_count integer NOT NULL DEFAULT 0,
  max_retries integer NOT NULL DEFAULT 5,
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  processed_at timestamptz,
  CONSTRAINT outbox_event_id_ledger_event_id_fk FOREIGN KEY (event_id) REFERENCES ledger_event (id)
);
CREATE INDEX idx_outbox_pending ON outbox (status, created_at);
CREATE INDEX idx_outbox_cleanup ON outbox (processed_at);

CREATE TABLE dead_letter_queue (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  outbox_id uuid,
  topic varchar(100) NOT NULL,
  payload jsonb NOT NULL,
  error_message text NOT NULL,
  retry_count integer NOT NULL,
  status varchar(20) NOT NULL DEFAULT 'pending',
  resolved_at timestamptz,
  resolved_by varchar(100),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT dead_letter_queue_outbox_id_outbox_id_fk FOREIGN KEY (outbox_id) REFERENCES outbox (id)
);
CREATE INDEX idx_dlq_status ON dead_letter_queue (status, created_at);

CREATE TABLE processed_event (
  id uuid PRIMARY KEY,
  topic varchar(100) NOT NULL,
  payload jsonb,
  processed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_processed_event_cleanup ON processed_event (processed_at);

CREATE TABLE worker_lease (
  worker_id varchar(100) PRIMARY KEY,
  lease_holder varchar(100) NOT NULL,
  lease_until timestamptz NOT NULL,
  acquired_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_worker_lease_until ON worker_lease (lease_until);

CREATE TABLE block_checkpoint (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  block_sequence bigserial NOT NULL,
  block_at timestamptz NOT NULL DEFAULT now(),
  from_event_sequence bigint NOT NULL,
  to_event_sequence bigint NOT NULL,
  event_count integer NOT NULL,
  events_hash varchar(64) NOT NULL,
  block_hash varchar(64) NOT NULL,
  prev_block_id uuid,
  prev_block_hash varchar(64),
  CONSTRAINT block_checkpoint_block_sequence_unique UNIQUE (block_sequence)
);
CREATE INDEX idx_block_checkpoint_sequence ON block_checkpoint (to_event_sequence);

CREATE TABLE reconciliation_result (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  run_date varchar(50) NOT NULL,
  status varchar(20) NOT NULL,
  total_mismatches integer NOT NULL DEFAULT 0,
  step0_result jsonb,
  step0b_result jsonb,
  step0c_result jsonb,
  step1_result jsonb,
  step2_result jsonb,
  step3_result jsonb,
  duration_ms integer,
  mismatches jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT reconciliation_result_run_date_unique UNIQUE (run_date)
);
CREATE INDEX idx_reconciliation_status ON reconciliation_result (status);

CREATE TABLE reconciliation_watermark (
  id integer PRIMARY KEY DEFAULT 1,
  last_entry_created_at timestamptz,
  last_run_date date,
  last_mismatches integer DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO reconciliation_watermark (id) VALUES (1);

CREATE TABLE idempotency_key (
  key varchar(255) PRIMARY KEY,
  reference varchar(255),
  result_event_id uuid,
  result_data jsonb,
  expires_at timestamptz NOT NULL DEFAULT now() + interval '24 hours'
);
CREATE INDEX idx_idempotency_reference ON idempotency_key (reference);
CREATE INDEX idx_idempotency_expires ON idempotency_key (expires_at);

CREATE TABLE account_limit (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  account_id uuid NOT NULL,
  limit_type varchar(20) NOT NULL,
  max_amount bigint NOT NULL,
  category varchar(50),
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT account_limit_account_id_account_balance_id_fk
    FOREIGN KEY (account_id) REFERENCES account_balance (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_account_limit ON account_limit (account_id, limit_type, category);

CREATE TABLE account_snapshot (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  account_id uuid NOT NULL,
  snapshot_date date NOT NULL,
  balance bigint NOT NULL,
  credit_balance bigint NOT NULL DEFAULT 0,
  debit_balance bigint NOT NULL DEFAULT 0,
  pending_credit bigint NOT NULL DEFAULT 0,
  pending_debit bigint NOT NULL DEFAULT 0,
  available_balance bigint NOT NULL DEFAULT 0,
  currency char(3) NOT NULL DEFAULT 'INR',
  account_status varchar(20) NOT NULL DEFAULT 'active',
  checkpoint_hash varchar(64),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX uq_account_snapshot_account_date ON account_snapshot (account_id, snapshot_date);

CREATE TABLE scheduled_transaction (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  ledger_id uuid NOT NULL DEFAULT gen_random_uuid(),
  reference varchar(255),
  amount bigint NOT NULL,
  currency char(3) NOT NULL DEFAULT 'INR',
  source_identifier varchar(255) NOT NULL,
  destination_identifier varchar(255),
  scheduled_for timestamptz NOT NULL,
  recurrence jsonb,
  status varchar(20) NOT NULL DEFAULT 'scheduled',
  last_executed_at timestamptz,
  next_execution_at timestamptz,
  execution_count integer NOT NULL DEFAULT 0,
  retry_count integer NOT NULL DEFAULT 0,
  last_retry_at timestamptz
);
CREATE INDEX idx_scheduled_pending ON scheduled_transaction (next_execution_at);
