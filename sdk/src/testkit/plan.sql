-- Operations on a ledger of the plan's layout, each as one function in the caller's transaction: the tables that the
-- deployed layout has, too, and the plan's events. Written after holds.sql and operations.sql for the other layout;
-- only what the verification looks at.
CREATE SCHEMA plan;

INSERT INTO system_account (identifier, name, currency) VALUES ('@World', 'System Account: world', 'USD');

-- Canonical JSON of the flat documents used here.
CREATE FUNCTION plan.canonical(data jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT '{' || coalesce(string_agg(to_json(key)::text || ':' || value::text, ',' ORDER BY key COLLATE "C"), '') || '}'
  FROM jsonb_each(data)
$$;
CREATE FUNCTION plan.hash(previous text, data jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT encode(sha256(convert_to(coalesce(previous, '') || plan.canonical(data), 'UTF8')), 'hex')
$$;
CREATE FUNCTION plan.account_id(number integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT md5('account-' || number)::uuid
$$;

CREATE FUNCTION plan.append(p_account uuid, p_type text, p_data jsonb, p_correlation uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  last_version bigint;
  last_hash text;
BEGIN
  SELECT sequence_number, event_hash INTO last_version, last_hash FROM ledger_event
  WHERE aggregate_type = 'account' AND aggregate_id = p_account ORDER BY sequence_number DESC LIMIT 1;
  INSERT INTO ledger_event (aggregate_type, aggregate_id, event_type, event_data, sequence_number, previous_hash,
                            event_hash, correlation_id)
  VALUES ('account', p_account, p_type, p_data, coalesce(last_version, 0) + 1, last_hash,
          plan.hash(last_hash, p_data), p_correlation::text);
END
$$;

CREATE FUNCTION plan.open_account(p_number integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  account uuid := plan.account_id(p_number);
BEGIN
  INSERT INTO account_balance (id, holder_id, holder_type, currency, allow_overdraft)
  VALUES (account, 'holder_' || p_number, 'individual', 'USD', true);
  PERFORM plan.append(account, 'ACCOUNT_OPENED', jsonb_build_object('accountId', account, 'holderId',
    'holder_' || p_number, 'holderType', 'individual', 'currency', 'USD'), gen_random_uuid());
END
$$;

CREATE FUNCTION plan.freeze(p_account uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE account_balance SET status = 'frozen' WHERE id = p_account;
  PERFORM plan.append(p_account, 'ACCOUNT_FROZEN', jsonb_build_object('accountId', p_account), gen_random_uuid());
END
$$;

-- One entry of an account and the event that posts it.
CREATE FUNCTION plan.post(p_account uuid, p_entry text, p_amount bigint, p_transaction uuid, p_event boolean DEFAULT true)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  signed bigint := CASE p_entry WHEN 'CREDIT' THEN p_amount ELSE -p_amount END;
  account account_balance;
  record transaction_record;
BEGIN
  SELECT * INTO record FROM transaction_record WHERE id = p_transaction;
  UPDATE account_balance SET balance = balance + signed, lock_version = lock_version + 1,
    credit_balance = credit_balance + greatest(signed, 0), debit_balance = debit_balance + greatest(-signed, 0)
  WHERE id = p_account RETURNING * INTO account;
  INSERT INTO entry_record (transaction_id, account_id, entry_type, amount, currency, balance_before, balance_after,
                            account_lock_version)
  VALUES (p_transaction, p_account, p_entry, p_amount, 'USD', account.balance - signed, account.balance,
          account.lock_version);
  IF p_event THEN
    PERFORM plan.append(p_account, p_entry || '_POSTED', jsonb_build_object('accountId', p_account, 'holderId',
      account.holder_id, 'holderType', account.holder_type, 'currency', 'USD', 'amount', p_amount, 'transactionId',
      p_transaction, 'reference', record.reference, 'category', record.meta_data->>'category'), record.correlation_id);
  END IF;
END
$$;

CREATE FUNCTION plan.post_world(p_entry text, p_amount bigint, p_transaction uuid) RETURNS void LANGUAGE sql AS $$
  WITH entry AS (
    INSERT INTO entry_record (transaction_id, system_account_id, entry_type, amount, currency, is_hot_account)
    SELECT p_transaction, id, p_entry, p_amount, 'USD', true FROM system_account)
  INSERT INTO hot_account_entry (account_id, amount, entry_type, transaction_id)
  SELECT id, CASE p_entry WHEN 'CREDIT' THEN p_amount ELSE -p_amount END, p_entry, p_transaction FROM system_account
$$;

CREATE FUNCTION plan.transact(p_source uuid, p_destination uuid, p_amount bigint, p_reference text, p_category text)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  made uuid := gen_random_uuid();
BEGIN
  INSERT INTO transaction_record (id, reference, status, amount, currency, source_account_id, destination_account_id,
                                  source_system_account_id, destination_system_account_id, meta_data, posted_at)
  VALUES (made, p_reference, 'posted', p_amount, 'USD', p_source, p_destination,
          CASE WHEN p_source IS NULL THEN (SELECT id FROM system_account) END,
          CASE WHEN p_destination IS NULL THEN (SELECT id FROM system_account) END,
          jsonb_build_object('category', p_category), now());
  IF p_source IS NULL THEN PERFORM plan.post_world('DEBIT', p_amount, made);
  ELSE PERFORM plan.post(p_source, 'DEBIT', p_amount, made); END IF;
  IF p_destination IS NULL THEN PERFORM plan.post_world('CREDIT', p_amount, made);
  ELSE PERFORM plan.post(p_destination, 'CREDIT', p_amount, made); END IF;
  RETURN made;
END
$$;

CREATE FUNCTION plan.place_hold(p_source uuid, p_amount bigint, p_reference text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  record transaction_record;
BEGIN
  INSERT INTO transaction_record (reference, status, amount, currency, source_account_id, is_hold, meta_data)
  VALUES (p_reference, 'inflight', p_amount, 'USD', p_source, true, '{"category": "hold"}') RETURNING * INTO record;
  UPDATE account_balance SET pending_debit = pending_debit + p_amount, lock_version = lock_version + 1 WHERE id = p_source;
  PERFORM plan.append(p_source, 'HOLD_PLACED', jsonb_build_object('accountId', p_source, 'amount', p_amount,
    'transactionId', record.id, 'reference', p_reference, 'category', 'hold', 'currency', 'USD'), record.correlation_id);
  RETURN record.id;
END
$$;

CREATE FUNCTION plan.release_hold(p_hold uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  record transaction_record;
BEGIN
  UPDATE transaction_record SET status = 'voided' WHERE id = p_hold RETURNING * INTO record;
  UPDATE account_balance SET pending_debit = pending_debit - record.amount, lock_version = lock_version + 1
  WHERE id = record.source_account_id;
  PERFORM plan.append(record.source_account_id, 'HOLD_RELEASED', jsonb_build_object('accountId',
    record.source_account_id, 'amount', record.amount, 'transactionId', p_hold, 'reference', record.reference,
    'category', 'hold', 'currency', 'USD'), record.correlation_id);
END
$$;

CREATE FUNCTION plan.capture_hold(p_hold uuid, p_amount bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  record transaction_record;
BEGIN
  UPDATE transaction_record SET status = 'posted', committed_amount = p_amount, posted_at = now()
  WHERE id = p_hold RETURNING * INTO record;
  UPDATE account_balance SET pending_debit = pending_debit - record.amount WHERE id = record.source_account_id;
  PERFORM plan.append(record.source_account_id, 'HOLD_CAPTURED', jsonb_build_object('accountId',
    record.source_account_id, 'amount', p_amount, 'originalAmount', record.amount, 'transactionId', p_hold,
    'reference', record.reference, 'category', 'hold', 'currency', 'USD'), record.correlation_id);
  PERFORM plan.post(record.source_account_id, 'DEBIT', p_amount, p_hold);
  PERFORM plan.post_world('CREDIT', p_amount, p_hold);
END
$$;

-- A transfer, or the capture of a hold, with several destinations, which may name one account more than once.
CREATE FUNCTION plan.destinations(p_accounts uuid[], p_amounts bigint[]) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_agg(jsonb_build_object('holderId', a.holder_id, 'amount', d.amount) ORDER BY d.number)
  FROM unnest(p_accounts, p_amounts) WITH ORDINALITY AS d (account, amount, number)
  JOIN account_balance a ON a.id = d.account
$$;

CREATE FUNCTION plan.post_all(p_entry text, p_accounts uuid[], p_amounts bigint[], p_transaction uuid)
RETURNS void LANGUAGE sql AS $$
  SELECT plan.post(account, p_entry, amount, p_transaction) FROM unnest(p_accounts, p_amounts) AS d (account, amount)
$$;

CREATE FUNCTION plan.multi_transfer(p_source uuid, p_accounts uuid[], p_amounts bigint[], p_reference text)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  made uuid := gen_random_uuid();
  total bigint := (SELECT sum(amount) FROM unnest(p_amounts) AS amount);
BEGIN
  INSERT INTO transaction_record (id, reference, status, amount, currency, source_account_id, meta_data, posted_at)
  VALUES (made, p_reference, 'posted', total, 'USD', p_source,
          jsonb_build_object('category', 'transfer', 'destinations', plan.destinations(p_accounts, p_amounts)), now());
  PERFORM plan.post(p_source, 'DEBIT', total, made);
  PERFORM plan.post_all('CREDIT', p_accounts, p_amounts, made);
  RETURN made;
END
$$;

CREATE FUNCTION plan.multi_hold(p_source uuid, p_accounts uuid[], p_amounts bigint[], p_reference text)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  made uuid := plan.place_hold(p_source, (SELECT sum(amount)::bigint FROM unnest(p_amounts) AS amount), p_reference);
BEGIN
  UPDATE transaction_record
  SET meta_data = meta_data || jsonb_build_object('destinations', plan.destinations(p_accounts, p_amounts))
  WHERE id = made;
  RETURN made;
END
$$;

CREATE FUNCTION plan.multi_capture(p_hold uuid, p_accounts uuid[], p_amounts bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  record transaction_record;
  total bigint := (SELECT sum(amount) FROM unnest(p_amounts) AS amount);
BEGIN
  UPDATE transaction_record SET status = 'posted', committed_amount = total, posted_at = now()
  WHERE id = p_hold RETURNING * INTO record;
  UPDATE account_balance SET pending_debit = pending_debit - record.amount WHERE id = record.source_account_id;
  PERFORM plan.append(record.source_account_id, 'HOLD_CAPTURED', jsonb_build_object('accountId',
    record.source_account_id, 'amount', total, 'originalAmount', record.amount, 'transactionId', p_hold,
    'reference', record.reference, 'category', 'hold', 'currency', 'USD'), record.correlation_id);
  PERFORM plan.post(record.source_account_id, 'DEBIT', total, p_hold);
  PERFORM plan.post_all('CREDIT', p_accounts, p_amounts, p_hold);
END
$$;

CREATE FUNCTION plan.multi_refund(p_transaction uuid, p_accounts uuid[], p_amounts bigint[]) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
  original transaction_record;
  made uuid := gen_random_uuid();
BEGIN
  SELECT * INTO original FROM transaction_record WHERE id = p_transaction;
  INSERT INTO transaction_record (id, reference, status, amount, currency, destination_account_id, parent_id,
                                  is_reversal, meta_data, posted_at)
  VALUES (made, 'refund_' || original.reference, 'posted', original.amount, 'USD', original.source_account_id,
          p_transaction, true, '{"category": "refund"}', now());
  UPDATE transaction_record SET status = 'reversed', refunded_amount = original.amount WHERE id = p_transaction;
  PERFORM plan.post_all('DEBIT', p_accounts, p_amounts, made);
  PERFORM plan.post(original.source_account_id, 'CREDIT', original.amount, made);
  RETURN made;
END
$$;
