// The outbox plugin's workers on a real PostgreSQL, with a bus in memory that fails as it is told.
#include "tests/integration/outbox_support.hpp"

namespace summa::outbox {
namespace {

TEST_F(OutboxTest, DeliversEveryWaitingRowOnceInLedgerOrderAndMarksIt) {
  test::TrafficGenerator traffic(url_, {.connections = 4, .accounts = 20, .rate = 0});
  traffic.Start();
  test::WaitUntil([&] { return traffic.Committed() >= 1500; }, 3 * test::kTimeout,
                  "1,500 operations");
  traffic.Stop();
  const auto pending =
      db_->Column("SELECT id FROM outbox WHERE status = 'pending' AND processed_at IS NULL");
  MakeProcessor();
  EXPECT_EQ(Drain(), static_cast<std::int64_t>(pending.size()));

  const auto sent = SentIds();
  EXPECT_EQ(std::set<std::string>(sent.begin(), sent.end()),
            std::set<std::string>(pending.begin(), pending.end()));
  EXPECT_EQ(sent.size(), pending.size());
  ExpectLedgerOrder();
  EXPECT_EQ(
      db_->Count("SELECT count(*) FROM outbox WHERE status <> 'processed' OR processed_at IS NULL "
                 "OR last_error IS NOT NULL"),
      0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM processed_event"), 0);
  EXPECT_EQ(Drain(), 0);
}

TEST_F(OutboxTest, SendsThePositionAndCorrelationOfTheRowsEvent) {
  test::EnsureAccounts(url_, 2);
  test::TrafficGenerator traffic(url_, {.connections = 2, .accounts = 2, .rate = 0});
  traffic.Start();
  test::WaitUntil([&] { return traffic.Committed() >= 200; }, test::kTimeout, "200 operations");
  traffic.Stop();
  MakeProcessor();
  Drain();
  // The fixture finds positions with a query of its own.
  std::map<std::string, std::string> expected;
  for (const auto& row :
       db_->Query("SELECT p.id, p.position, e.correlation_id FROM fixture.outbox_position p "
                  "JOIN ledger_event e ON e.sequence_number = p.position")) {
    expected[row[0]] = row[1] + " " + row[2];
  }
  ASSERT_FALSE(bus_.Stored().empty());
  for (const auto& message : bus_.Stored()) {
    EXPECT_EQ(std::to_string(message.position) + " " + message.correlation_id,
              expected[message.id]);
  }
}

// There, sequence_number is the version of the aggregate, and a correlation is any text.
TEST_F(OutboxTest, SendsThePositionAndCorrelationOfTheEventInThePlansLayout) {
  db_->Execute(
      "ALTER TABLE ledger_event RENAME sequence_number TO \"position\"; "
      "ALTER TABLE ledger_event RENAME aggregate_version TO sequence_number; "
      "ALTER TABLE ledger_event ALTER correlation_id TYPE text");
  db_->Execute(
      "WITH e AS (INSERT INTO ledger_event (aggregate_type, aggregate_id, sequence_number, "
      "event_type, event_data, correlation_id, hash) SELECT 'account', gen_random_uuid(), 7, "
      "'AccountCredited', '{}', 'order ' || n, repeat('0', 64) FROM generate_series(1, 3) n "
      "RETURNING id, created_at) INSERT INTO outbox (event_id, topic, payload, created_at) SELECT "
      "id, 'ledger-account-credited', jsonb_build_object('accountId', id), created_at FROM e");
  MakeProcessor();
  EXPECT_EQ(Drain(), 3);
  ASSERT_EQ(bus_.Stored().size(), 3U);
  for (const auto& message : bus_.Stored()) {
    EXPECT_EQ(db_->Value("SELECT e.position || ' ' || e.correlation_id FROM outbox o JOIN "
                         "ledger_event e ON e.id = o.event_id WHERE o.id = $1",
                         {message.id}),
              std::to_string(message.position) + " " + message.correlation_id);
  }
}

TEST_F(OutboxTest, ABacklogKeepsTheLedgersOrderWhereCreatedAtContradictsIt) {
  // The later an event is in the ledger, the older its transaction: pages cut by created_at would
  // be wrong.
  settings_.outbox.batch_size = 3;
  for (int i = 0; i < 20; ++i) Insert("account-1", std::to_string(i) + " seconds");
  MakeProcessor();
  EXPECT_EQ(Drain(), 20);
  ExpectLedgerOrder();
}

TEST_F(OutboxTest, OrderHoldsWhileWritersCommit) {
  settings_.outbox.batch_size = 20;
  test::TrafficGenerator traffic(url_, {.connections = 6, .accounts = 4, .rate = 0});
  traffic.Start();
  MakeProcessor();
  test::WaitUntil(
      [&] {
        RunOnce();
        return traffic.Committed() >= 1500;
      },
      3 * test::kTimeout, "1,500 operations");
  traffic.Stop();
  fake_->Advance(seconds(6));
  Drain();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE processed_at IS NULL"), 0);
  ExpectLedgerOrder();
}

TEST_F(OutboxTest, ARefusedRowHoldsOnlyItsKeyAndIsTriedAgain) {
  const std::string bad = Insert("a");
  const std::string behind = Insert("a"), other = Insert("b");
  bool refuse = true;
  bus_.decide = [&](const summa_bus_message& message) {
    return refuse && FromAbi(message.id) == bad ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{other});
  EXPECT_EQ(Field(bad, "retry_count"), "1");
  EXPECT_EQ(Field(bad, "last_error"), "told to fail");
  EXPECT_EQ(Field(behind, "retry_count"), "0");

  refuse = false;
  fake_->Advance(seconds(60));
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{other, bad, behind}));
  // Our own retried success does not look like a row that Summa lost (processed, retried, with an
  // error).
  EXPECT_EQ(Field(bad, "status || coalesce(last_error, '-')"), "processed-");
}

TEST_F(OutboxTest, UsedUpAttemptsEndInTheDeadLetterQueueAndTheKeyWaitsUntilItIsRedriven) {
  const std::string bad = Insert("a");
  const std::string behind = Insert("a"), other = Insert("b");
  bool refuse = true;
  bus_.decide = [&](const summa_bus_message& message) {
    return refuse && FromAbi(message.id) == bad ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  for (int attempt = 0; attempt < 3; ++attempt) {
    Drain();
    fake_->Advance(seconds(61));
  }
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{other});
  EXPECT_EQ(Field(bad, "status || retry_count || coalesce(processed_at::text, '-')"), "failed3-");
  const auto letters = db_->Query(
      "SELECT outbox_id, topic, error_message, retry_count, status FROM dead_letter_queue");
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0],
            (test::Row{bad, "ledger-account-credited", "told to fail", "3", "pending"}));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.outbox_blocked_key"), 1);
  EXPECT_EQ(fake_->CountCode("SH-0504"), 1u);

  // A new holder of the lease knows of the blocked key too.
  MakeProcessor();
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{other});

  refuse = false;
  Redrive({bad});
  fake_->Advance(seconds(6));
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{other, bad, behind}));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM dead_letter_queue WHERE resolved_at IS NULL"), 0);
}

TEST_F(OutboxTest, WithContinueTheKeyGoesOnWithoutItsDeadLetter) {
  settings_.outbox.max_retries = 1;
  settings_.outbox.block_key_on_dead_letter = false;
  const std::string bad = Insert("a"), behind = Insert("a");
  bus_.decide = [&](const summa_bus_message& message) {
    return FromAbi(message.id) == bad ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{behind});
  EXPECT_EQ(Field(bad, "status"), "failed");
}

TEST_F(OutboxTest, ABusThatIsAwayBurnsNoAttemptAndDeliveryGoesOnByItself) {
  const std::string first = Insert("a"), second = Insert("a");
  bus_.away = true;
  MakeProcessor();
  const TickResult result = RunOnce();
  EXPECT_FALSE(result.backlog);
  EXPECT_TRUE(result.wait_hint.has_value());
  for (int i = 0; i < 10; ++i) {
    fake_->Advance(seconds(61));
    RunOnce();
  }
  EXPECT_EQ(Field(first, "retry_count || coalesce(last_error, '-')"), "0-");
  EXPECT_EQ(fake_->CountCode("SH-0501"), 1u) << "one line per change of state, not one per try";
  bus_.away = false;
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{first, second}));
}

TEST_F(OutboxTest, AStreamFaultPausesThatStreamOnly) {
  const std::string stuck = Insert("a", "0", "ledger-account-debited"), free = Insert("a");
  bool fault = true;
  bus_.decide = [&](const summa_bus_message& message) {
    return fault && FromAbi(message.stream) == "ledger-account-debited" ? SUMMA_BUS_STREAM_FAULT
                                                                        : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{free});
  const std::string later = Insert("b");
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{free, later}));
  EXPECT_EQ(Field(stuck, "retry_count"), "0");
  fault = false;
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{free, later, stuck}));
}

TEST_F(OutboxTest, AFaultInTheMiddleOfABacklogKeepsTheOrderAcrossPages) {
  settings_.outbox.batch_size = 4;
  std::vector<std::string> ids;
  for (int i = 0; i < 30; ++i) ids.push_back(Insert("account-" + std::to_string(i % 3)));
  bool refuse = true;
  bus_.decide = [&](const summa_bus_message& message) {
    return refuse && FromAbi(message.id) == ids[7] ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  Drain();
  ExpectLedgerOrder();
  EXPECT_EQ(bus_.Stored().size(), 22u) << "row 7 and the seven behind it in account-1 wait";
  refuse = false;
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(bus_.Stored().size(), 30u);
  ExpectLedgerOrder();
}

TEST_F(OutboxTest, PayloadsOfOtherDriversAndForeignRowsAreDeliveredToo) {
  const std::string twice = db_->Value(
      "INSERT INTO outbox (topic, payload) VALUES ('ledger-account-credited', "
      "to_jsonb('{\"accountId\": \"acc\", \"n\": 1}'::text)) RETURNING id");
  const std::string malformed = db_->Value(
      "INSERT INTO outbox (topic, payload) VALUES ('ledger-hold-created', "
      "'{\"holdId\": \"zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz\"}') RETURNING id");
  const std::string foreign = db_->Value(
      "INSERT INTO outbox (topic, payload) VALUES ('other.topic', '[1, 2]') RETURNING id");
  const std::string text = db_->Value(
      "INSERT INTO outbox (topic, payload) VALUES ('other.topic', '\"no json\"') RETURNING id");
  MakeProcessor();
  EXPECT_EQ(Drain(), 4);
  for (const auto& message : bus_.Stored()) {
    if (message.id == twice) {
      EXPECT_EQ(message.key, "acc");
      EXPECT_EQ(message.payload, R"({"n": 1, "accountId": "acc"})") << "decoded once";
    }
    if (message.id == malformed) {
      EXPECT_EQ(message.key, "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz");
      EXPECT_EQ(message.position, SUMMA_BUS_NO_POSITION);
    }
    if (message.id == foreign) {
      EXPECT_EQ(message.key, foreign) << "no key: the row's own id";
    }
    if (message.id == text) {
      EXPECT_EQ(message.payload, "\"no json\"");
    }
  }
}

TEST_F(OutboxTest, AMalformedIdInABacklogIsFoundOutAndDelivered) {
  settings_.outbox.batch_size = 2;
  for (int i = 0; i < 5; ++i) Insert("a");
  db_->Execute(
      "INSERT INTO outbox (topic, payload) VALUES ('ledger-hold-created', "
      "'{\"holdId\": \"zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz\"}')");
  MakeProcessor();
  EXPECT_EQ(Drain(), 6);
}

TEST_F(OutboxTest, ARowThatCommitsLongAfterItsTransactionBeganIsFound) {
  MakeProcessor();
  Insert("a");
  Drain();
  const std::string late = Insert("b", "1 hour");  // below the bound of the fast polls
  RunOnce();
  EXPECT_EQ(bus_.Stored().size(), 1u);
  fake_->Advance(seconds(5));
  Drain();
  EXPECT_EQ(SentIds().back(), late);
}

TEST_F(OutboxTest, AnIdlePollReadsNoTable) {
  MakeProcessor();
  Insert("a");
  Drain();
  RunOnce();
  RunOnce();
  const auto scans = [&] {
    db_->Execute("SELECT pg_stat_force_next_flush()");
    return db_->Count(
        "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = "
        "'outbox'");
  };
  // Statistics are flushed by the sessions when they are idle; reading them twice must not differ.
  test::WaitUntil(
      [&] {
        const auto before = scans();
        return before == scans();
      },
      test::kTimeout, "quiet statistics");
  const auto before = bus_.publish_calls();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(RunOnce().items, 0);
  EXPECT_EQ(bus_.publish_calls(), before);
}

TEST_F(OutboxTest, RowsMarkedBySomebodyElseAreReported) {
  const std::string id = Insert("a");
  bus_.decide = [&](const summa_bus_message&) {
    Db(url_).Execute("UPDATE outbox SET status = 'processed', processed_at = now()");
    return SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  Drain();
  EXPECT_EQ(fake_->CountCode("SH-0505"), 1u);
}

TEST_F(OutboxTest, DeliveryDoesNotWalkOverWhatWasDeliveredBefore) {
  // No statistics are gathered and the table grows from nothing, so a plan chosen by guesses would
  // show.
  db_->Execute("ALTER TABLE outbox SET (autovacuum_enabled = off)");
  MakeProcessor();
  constexpr int kRounds = 60, kRowsPerRound = 50;
  for (int round = 0; round < kRounds; ++round) {
    db_->Execute(
        "INSERT INTO outbox (topic, payload) SELECT 'ledger-account-credited', "
        "jsonb_build_object('accountId', g % 10) FROM generate_series(1, " +
        std::to_string(kRowsPerRound) + ") g");
    Drain();
  }
  ASSERT_EQ(bus_.Stored().size(), static_cast<std::size_t>(kRounds * kRowsPerRound));
  sql_.reset();  // its sessions end and hand in their statistics
  const auto read = [&] {
    return db_->Count(
        "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'outbox'");
  };
  test::WaitUntil([&] { return read() >= kRounds * kRowsPerRound; }, test::kTimeout, "statistics");
  EXPECT_LT(read(), kRounds * kRowsPerRound * 20)
      << "entries of the indexes read, about 6 a row are needed";
}

TEST_F(OutboxTest, ARoleThatMayNotMarkSendsNothing) {
  Insert("a");
  db_->Execute("CREATE ROLE reader_" + database_ +
               " LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public, summa_host TO reader_" +
               database_ + "; GRANT USAGE ON SCHEMA summa_host TO reader_" + database_);
  host::DatabaseSettings settings;
  settings.url =
      url_ + (url_.find('?') == std::string::npos ? "?" : "&") + "user=reader_" + database_;
  host::SqlService reader({{"ledger", std::make_shared<host::SessionPool>(settings)}});
  MakeProcessor();
  testkit::FakeTick tick(reader.unleased(), SUMMA_TICK_NEW_LEASE);
  for (int i = 0; i < 3; ++i) {
    try {
      processor_->Run(Tick(tick.abi()));
      ADD_FAILURE() << "it was not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.sqlstate(), "42501") << error.what();
    }
  }
  EXPECT_TRUE(bus_.Stored().empty());
}

TEST_F(OutboxTest, WhatTheBusConfirmedIsMarkedAndNotSentAgainWhenTheDatabaseFailedInBetween) {
  for (int i = 0; i < 5; ++i) Insert("account-" + std::to_string(i));
  bool fail = true;
  bus_.decide = [&](const summa_bus_message&) {
    // The connection goes after the bus has the message and before it is marked.
    if (fail)
      Db(url_).Query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
          "'outbox-test'");
    fail = false;
    return SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  EXPECT_THROW(RunOnce(), Error);
  // The host says "new lease" until a tick has succeeded, so the flag still stands.
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE processed_at IS NULL"), 5);
  Drain();
  EXPECT_EQ(bus_.Stored().size(), 5u) << "nothing was sent twice";
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE processed_at IS NULL"), 0);
}

TEST_F(OutboxTest, ABacklogIsDeliveredWithASingleSessionToo) {
  host::DatabaseSettings settings;
  settings.url = url_;
  settings.pool = 1;
  host::SqlService one({{"ledger", std::make_shared<host::SessionPool>(settings)}});
  settings_.outbox.batch_size = 5;
  for (int i = 0; i < 20; ++i) Insert("account-" + std::to_string(i % 3));
  MakeProcessor();
  testkit::FakeTick tick(one.unleased(), SUMMA_TICK_NEW_LEASE);
  processor_->Run(Tick(tick.abi()));
  EXPECT_EQ(bus_.Stored().size(), 20u);
  ExpectLedgerOrder();
}

TEST_F(OutboxTest, ARunThatEndsSaysThatTheBusIsAway) {
  Insert("a");
  bus_.away = true;
  MakeProcessor();
  tick_->SetFlags(SUMMA_TICK_ONCE | SUMMA_TICK_NEW_LEASE);
  for (int i = 0; i < 2; ++i) {
    try {
      processor_->Run(Tick(tick_->abi()));
      ADD_FAILURE() << "it called it done";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "SH-0501");
      EXPECT_EQ(error.status(), SUMMA_E_UNAVAILABLE);
    }
  }
}

TEST_F(OutboxTest, CleanupDeletesWhatWasDeliveredLongEnoughAgoInBatches) {
  for (int i = 0; i < 3; ++i) Insert("a");
  const std::string kept = Insert("b");
  const std::string lettered = Insert("c");
  const std::string lost = Insert("d");
  db_->Execute(
      "UPDATE outbox SET status = 'processed', processed_at = now() - interval '49 hours'");
  db_->Change("UPDATE outbox SET processed_at = now() WHERE id = $1", {kept});
  db_->Change(
      "INSERT INTO dead_letter_queue (outbox_id, topic, payload, error_message, retry_count) "
      "VALUES ($1, 't', '{}', 'e', 3)",
      {lettered});
  // Summa's own processor marked it after a failure without sending it: never delivered.
  db_->Change("UPDATE outbox SET retry_count = 1, last_error = 'publisher failed' WHERE id = $1",
              {lost});
  Cleanup cleanup(fake_->host(), std::chrono::hours(48));
  testkit::FakeTick tick(sql_->unleased());
  EXPECT_EQ(cleanup.Run(Tick(tick.abi())).items, 3);
  EXPECT_EQ(cleanup.Run(Tick(tick.abi())).items, 0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox"), 3);
}

}  // namespace
}  // namespace summa::outbox
