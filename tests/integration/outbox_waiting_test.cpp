// What waits behind a row that fails: that it costs the others nothing, and comes in its order.
#include <algorithm>

#include "tests/integration/outbox_support.hpp"

namespace summa::outbox {
namespace {

// The lower bound of the last tail poll that went through a table with this function.
std::int64_t last_bound = 0;
const summa_sql_v1* forward = nullptr;

std::int32_t RecordingExec(summa_sql_session* session, summa_str sql,
                           const summa_sql_parameter* parameters, std::size_t count,
                           std::int32_t format, summa_sql_result** out, summa_error* error) {
  if (FromAbi(sql).find("summa_host.outbox_tail") != std::string_view::npos) {
    last_bound = summa::detail::FromBigEndian<std::int64_t>(parameters[0].data);
  }
  return forward->exec(session, sql, parameters, count, format, out, error);
}

class OutboxWaitingTest : public OutboxTest {
 protected:
  // One row and `count` rows of the same account behind it, the bus refuses the first.
  std::string InsertPoisoned(const std::string& account, int count) {
    const std::string bad = Insert(account);
    db_->Change(
        "INSERT INTO outbox (topic, payload, created_at) SELECT 'ledger-account-credited', "
        "jsonb_build_object('accountId', $1::text, 'n', g), clock_timestamp() + g * interval '1 "
        "us' FROM generate_series(1, $2::int) g",
        {account, std::to_string(count)});
    poison_.insert(bad);
    bus_.decide = [this](const summa_bus_message& message) {
      return poison_.contains(std::string(FromAbi(message.id))) ? SUMMA_BUS_REFUSED
                                                                : SUMMA_BUS_CONFIRMED;
    };
    return bad;
  }
  // Every attempt of what is refused.
  void UseUpAttempts() {
    for (std::int64_t i = 0; i < settings_.outbox.max_retries; ++i) {
      Drain();
      fake_->Advance(seconds(61));
    }
    Drain();
  }
  std::int64_t Waiting() { return db_->Count("SELECT count(*) FROM summa_host.outbox_waiting"); }
  std::vector<std::string> SentNumbers(const std::string& key) const {
    std::vector<std::string> payloads;
    for (const auto& message : bus_.Stored()) {
      if (message.key == key) payloads.push_back(message.payload);
    }
    return payloads;
  }

  std::set<std::string> poison_;
};

TEST_F(OutboxWaitingTest, AHundredThousandRowsBehindADeadLetterCostAPollAHandfulOfBuffers) {
  constexpr int kBehind = 100'000;
  settings_.outbox.batch_size = 1000;
  settings_.outbox.max_retries = 1;
  const std::string bad = InsertPoisoned("a", kBehind);
  const std::string other = Insert("b");
  MakeProcessor();
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{other}) << "only that key waits";
  EXPECT_EQ(Waiting(), kBehind);

  summa_sql_v1 table = *sql_->unleased();
  forward = sql_->unleased();
  table.exec = &RecordingExec;
  testkit::FakeTick tick(&table);
  // The bound follows when nobody's transaction is open any more that was when it was last asked.
  test::WaitUntil(
      [&] {
        Insert("b");
        fake_->Advance(milliseconds(300));
        processor_->Run(Tick(tick.abi()));
        return last_bound > 0 &&
               db_->Count(
                   "SELECT count(*) FROM outbox WHERE status = 'pending' AND created_at >= "
                   "'2000-01-01 00:00+00'::timestamptz + interval '1 us' * " +
                   std::to_string(last_bound)) == 0;
      },
      test::kTimeout, "a bound above what waits");
  const std::string poll =
      "SELECT * FROM summa_host.outbox_tail('2000-01-01 00:00+00'::timestamptz + interval '1 us' "
      "* " +
      std::to_string(last_bound) + ", 'bus', '{}', 1001, false, false)";
  db_->Query(poll);  // the session learns the plan; the catalog is read once
  std::int64_t buffers = 0;
  for (const auto& line : db_->Query("EXPLAIN (ANALYZE, BUFFERS) " + poll)) {
    const std::size_t at = line[0].find("Buffers: shared hit=");
    if (at == std::string::npos || buffers > 0) continue;  // the first line is the sum
    buffers = std::stoll(line[0].substr(at + 20));
    const std::size_t read = line[0].find("read=", at);
    if (read != std::string::npos) buffers += std::stoll(line[0].substr(read + 5));
  }
  RecordProperty("buffers", std::to_string(buffers));
  EXPECT_GT(buffers, 0);
  EXPECT_LT(buffers, 50);

  poison_.clear();
  EXPECT_EQ(Redrive({bad}), 1);
  fake_->Advance(seconds(600));
  Drain();
  EXPECT_EQ(Waiting(), 0);
  const auto sent = SentNumbers("a");
  ASSERT_EQ(sent.size(), static_cast<std::size_t>(kBehind) + 1);
  EXPECT_EQ(sent[0].find("\"n\""), std::string::npos) << "the redriven one goes first";
  for (int i = 1; i <= kBehind; ++i) {
    ASSERT_NE(sent[static_cast<std::size_t>(i)].find("\"n\": " + std::to_string(i) + ","),
              std::string::npos)
        << sent[static_cast<std::size_t>(i)];
  }
}

TEST_F(OutboxWaitingTest, OnePoisonRowAmongTenThousandOfAHundredAccountsHoldsOnlyItsOwn) {
  settings_.outbox.batch_size = 1000;
  for (int account = 0; account < 100; ++account) {
    db_->Change(
        "WITH t AS (SELECT gen_random_uuid() AS id, clock_timestamp() + g * interval '1 us' AS at "
        "FROM generate_series(1, 100) g), e AS (INSERT INTO ledger_event (aggregate_type, "
        "aggregate_id, aggregate_version, event_type, event_data, correlation_id, hash, created_at)"
        " SELECT 'transaction', id, 1, 'TransactionPosted', '{}', gen_random_uuid(), repeat('0', "
        "64), at FROM t) INSERT INTO outbox (topic, payload, created_at) SELECT "
        "'ledger-account-credited', jsonb_build_object('accountId', $1::text, 'transactionId', "
        "id), at FROM t",
        {"account-" + std::to_string(account)});
  }
  poison_ = {db_->Value(
      "SELECT id FROM outbox WHERE payload->>'accountId' = 'account-42' ORDER BY created_at "
      "OFFSET 49 LIMIT 1")};
  bus_.decide = [this](const summa_bus_message& message) {
    return poison_.contains(std::string(FromAbi(message.id))) ? SUMMA_BUS_REFUSED
                                                              : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  UseUpAttempts();
  EXPECT_EQ(bus_.Stored().size(), 9'949u) << "all but the poison and the 50 behind it";
  EXPECT_EQ(SentNumbers("account-42").size(), 49u);
  ExpectLedgerOrder();
  const std::vector<std::string> ids(poison_.begin(), poison_.end());
  poison_.clear();
  Redrive(ids);
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(bus_.Stored().size(), 10'000u);
  ExpectLedgerOrder();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status <> 'processed'"), 0);
}

TEST_F(OutboxWaitingTest, WhatWaitsComesFirstAndThenWhatCameLater) {
  const std::string bad = Insert("a"), second = Insert("a");
  poison_ = {bad};
  bus_.decide = [this](const summa_bus_message& message) {
    return poison_.contains(std::string(FromAbi(message.id))) ? SUMMA_BUS_REFUSED
                                                              : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  UseUpAttempts();
  const std::string third = Insert("a");
  Drain();
  EXPECT_EQ(Waiting(), 2);
  poison_.clear();
  Redrive({bad});
  const std::string fourth = Insert("a");
  Drain();  // found before the host knows that the key may go on
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{bad, second, third, fourth}));
  EXPECT_EQ(Waiting(), 0);
  for (const auto& message : bus_.Stored()) EXPECT_EQ(message.redriven, "");
}

TEST_F(OutboxWaitingTest, AnotherHostGoesOnWithWhatWaitsWhenTheFirstDiedBetweenTwoAttempts) {
  const std::string bad = InsertPoisoned("a", 0);
  for (int i = 0; i < 3; ++i) Insert("a");
  MakeProcessor();
  Drain();
  EXPECT_EQ(Waiting(), 4);
  poison_.clear();
  MakeProcessor();  // knows nothing of what the first one held back
  const std::string later = Insert("a");
  Drain();
  const auto sent = SentIds();
  ASSERT_EQ(sent.size(), 5u);
  EXPECT_EQ(sent.front(), bad);
  EXPECT_EQ(sent.back(), later);
  EXPECT_EQ(Waiting(), 0);
  EXPECT_EQ(Field(bad, "retry_count"), "1");
}

TEST_F(OutboxWaitingTest, ARowThatFailsAgainBehindAnotherWaitsAgain) {
  const std::string first = Insert("a"), second = Insert("a"), third = Insert("a");
  poison_ = {first, second};
  bus_.decide = [this](const summa_bus_message& message) {
    return poison_.contains(std::string(FromAbi(message.id))) ? SUMMA_BUS_REFUSED
                                                              : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  Drain();
  poison_.erase(first);
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{first});
  EXPECT_EQ(Field(second, "retry_count"), "1");
  poison_.clear();
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{first, second, third}));
}

TEST_F(OutboxWaitingTest, WithContinueARedrivenRowGoesToTheTailAndIsMarked) {
  settings_.outbox.max_retries = 1;
  settings_.outbox.block_key_on_dead_letter = false;
  const std::string bad = Insert("a"), behind = Insert("a");
  poison_ = {bad};
  bus_.decide = [this](const summa_bus_message& message) {
    return poison_.contains(std::string(FromAbi(message.id))) ? SUMMA_BUS_REFUSED
                                                              : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{behind});
  poison_.clear();
  Redrive({bad});
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{behind, bad}));
  EXPECT_EQ(bus_.Stored()[0].redriven, "");
  EXPECT_EQ(bus_.Stored()[1].redriven, SUMMA_BUS_EVERYBODY);
  EXPECT_NE(bus_.Stored()[1].position, SUMMA_BUS_NO_POSITION) << "its place in the ledger is known";
  Session session(sql_->unleased());
  const auto items = DeadLetters(settings_.outbox, "t").List(session, {.state = "all"});
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].state, "redriven");
}

TEST_F(OutboxWaitingTest, ADiscardedDeadLetterLetsItsKeyGoOnWithoutIt) {
  settings_.outbox.max_retries = 1;
  const std::string bad = Insert("a"), behind = Insert("a");
  poison_ = {bad};
  bus_.decide = [this](const summa_bus_message& message) {
    return poison_.contains(std::string(FromAbi(message.id))) ? SUMMA_BUS_REFUSED
                                                              : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  Drain();
  EXPECT_TRUE(SentIds().empty());
  Session session(sql_->unleased());
  const DeadLetters letters(settings_.outbox, "tester host/1");
  EXPECT_EQ(letters.Discard(session, std::span(&bad, 1), {"dlq discard", "outbox", "--key a"}), 1);
  EXPECT_EQ(letters.Discard(session, std::span(&bad, 1), {"dlq discard", "outbox", "--key a"}), 0);
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), std::vector<std::string>{behind});
  EXPECT_EQ(Field(bad, "status"), "failed");
  const auto audit = db_->Query(
      "SELECT actor, action, source, filter, items, ids[1] FROM "
      "summa_host.dlq_audit");
  ASSERT_EQ(audit.size(), 1u);
  EXPECT_EQ(audit[0], (test::Row{"tester host/1", "dlq discard", "outbox", "--key a", "1", bad}));
  EXPECT_EQ(letters.List(session, {.state = "discarded"}).size(), 1u);
  EXPECT_TRUE(letters.List(session, {}).empty());
}

TEST_F(OutboxWaitingTest, WhatWaitsFollowsAChangeOfTheRoute) {
  InsertPoisoned("a", 2);
  MakeProcessor();
  Drain();
  settings_.outbox.route = "ledger";
  MakeProcessor();
  Drain();
  EXPECT_TRUE(SentIds().empty());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.outbox_waiting WHERE stream = 'ledger'"),
            3);
  poison_.clear();
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds().size(), 3u);
  for (const auto& message : bus_.Stored()) EXPECT_EQ(message.stream, "ledger");
}

TEST_F(OutboxWaitingTest, AKeyLongerThanAnEntryOfAnIndexWaitsToo) {
  InsertPoisoned(std::string(5000, 'k'), 2);
  MakeProcessor();
  Drain();
  EXPECT_EQ(Waiting(), 3);
  poison_.clear();
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds().size(), 3u);
}

}  // namespace
}  // namespace summa::outbox
