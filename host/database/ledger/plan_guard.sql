-- After the steps of the plugin maintenance, before the first row: the guard reports violations by the names that the
-- constraints of plan.sql have, and its keys are what the outbox references.
SELECT summa_host.make_ledger_event_guard('ledger_event', 'uq_ledger_event_aggregate_version', 'ledger_event_pkey',
                                          'ledger_event_position_unique');
SELECT summa_host.install_ledger_event_guard('ledger_event');
ALTER TABLE outbox ADD CONSTRAINT outbox_event_id_ledger_event_id_fk
  FOREIGN KEY (event_id) REFERENCES summa_host.ledger_event_key (id);
