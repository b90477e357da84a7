// A row that the ledger's own triggers and constraints refuse to change: it alone is left, by name,
// and it is sent once.
#include <gmock/gmock.h>

#include <set>

#include "tests/integration/outbox_support.hpp"

namespace summa::outbox {
namespace {

using ::testing::HasSubstr;

constexpr const char* kBad = "ledger-bad";

// Ways of a ledger's owner to forbid that a row of topic kBad is marked, and how each is taken
// back.
struct Way {
  const char* name;
  const char* forbid;
  const char* allow;
  const char* sqlstate;
};

constexpr Way kWays[] = {
    {"trigger",
     "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not "
     "this one'; END $$; CREATE TRIGGER refuse BEFORE UPDATE ON outbox FOR EACH ROW WHEN "
     "(OLD.topic "
     "= 'ledger-bad') EXECUTE FUNCTION refuse()",
     "DROP TRIGGER refuse ON outbox", "P0001"},
    {"check",
     "ALTER TABLE outbox ADD CONSTRAINT refuse CHECK (topic <> 'ledger-bad' OR status = 'pending')",
     "ALTER TABLE outbox DROP CONSTRAINT refuse", "23514"},
    {"right",
     "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not "
     "you' USING ERRCODE = 'insufficient_privilege'; END $$; CREATE TRIGGER refuse BEFORE UPDATE "
     "ON "
     "outbox FOR EACH ROW WHEN (OLD.topic = 'ledger-bad') EXECUTE FUNCTION refuse()",
     "DROP TRIGGER refuse ON outbox", "42501"},
    // Refused by COMMIT, not by the statement.
    {"deferred",
     "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not "
     "this one' USING ERRCODE = 'foreign_key_violation'; END $$; CREATE CONSTRAINT TRIGGER refuse "
     "AFTER UPDATE ON outbox DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.topic = "
     "'ledger-bad') EXECUTE FUNCTION refuse()",
     "DROP TRIGGER refuse ON outbox", "23503"},
};

class OutboxRefusedTest : public OutboxTest, public testing::WithParamInterface<Way> {
 protected:
  void Forbid() { db_->Execute(GetParam().forbid); }
  void Allow() { db_->Execute(GetParam().allow); }
  std::int64_t Pending() {
    return db_->Count("SELECT count(*) FROM outbox WHERE status = 'pending'");
  }
  std::vector<Finding> Failing() const {
    return processor_->problems().Failing(fake_->host().BootNow());
  }
  void ExpectEverythingSentOnce(std::size_t rows) const {
    const std::vector<std::string> ids = SentIds();
    EXPECT_EQ(ids.size(), rows);
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), rows);
    ExpectLedgerOrder();
  }
  void TryForAMinute() {
    for (int i = 0; i < 6; ++i) {
      fake_->Advance(seconds(11));
      Drain();
    }
  }
};

TEST_P(OutboxRefusedTest, ItAloneStaysUnmarkedIsNamedAndSentOnce) {
  Forbid();
  std::set<std::string> bad;
  for (int i = 0; i < 40; ++i) {
    const bool is_bad = i % 17 == 3;
    const std::string id =
        Insert("account-" + std::to_string(i % 5), "0", is_bad ? kBad : "ledger-account-credited");
    if (is_bad) bad.insert(id);
  }
  MakeProcessor();
  Drain();
  TryForAMinute();
  EXPECT_EQ(Pending(), 3);
  ExpectEverythingSentOnce(40);
  const std::vector<Finding> failing = Failing();
  ASSERT_EQ(failing.size(), 1U);
  for (const std::string& id : bad) EXPECT_THAT(failing[0].found, HasSubstr(id));
  EXPECT_THAT(failing[0].found, HasSubstr(GetParam().sqlstate));
  EXPECT_EQ(failing[0].severity, Severity::kWarning);
  EXPECT_EQ(fake_->CountCode("SH-0511"), 1U);

  // Later rows are not held up, and a host that takes over does not send it either.
  Insert("account-3");
  MakeProcessor();
  Drain();
  TryForAMinute();
  ExpectEverythingSentOnce(41);
  EXPECT_EQ(Pending(), 3);
  EXPECT_EQ(Failing().size(), 1U);

  Allow();
  TryForAMinute();
  EXPECT_EQ(Pending(), 0);
  EXPECT_TRUE(Failing().empty());
  ExpectEverythingSentOnce(41);
}

TEST_P(OutboxRefusedTest, ABacklogIsDrainedAroundIt) {
  Forbid();
  settings_.outbox.batch_size = 10;
  for (int i = 0; i < 95; ++i) {
    Insert("account-" + std::to_string(i % 7), "0", i % 10 == 0 ? kBad : "ledger-account-credited");
  }
  MakeProcessor();
  Drain();
  TryForAMinute();
  EXPECT_EQ(Pending(), 10);
  ExpectEverythingSentOnce(95);
  Allow();
  TryForAMinute();
  EXPECT_EQ(Pending(), 0);
  ExpectEverythingSentOnce(95);
}

TEST_P(OutboxRefusedTest, ItsKeyGoesOnAfterItHasWaited) {
  const std::string bad = Insert("a", "0", kBad);
  const std::string behind = Insert("a", "0", kBad);
  bool refuse = true;
  bus_.decide = [&](const summa_bus_message& message) {
    return refuse && FromAbi(message.id) == bad ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  Drain();
  EXPECT_TRUE(SentIds().empty());
  Forbid();
  refuse = false;
  TryForAMinute();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{bad, behind}));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.outbox_waiting"), 0);
  Allow();
  TryForAMinute();
  EXPECT_EQ(Pending(), 0);
}

// What does not depend on the way.
class OutboxRefusedByATriggerTest : public OutboxRefusedTest {};

TEST_P(OutboxRefusedByATriggerTest, MoreThanCanBeAnExceptionStopTheSendingAndNothingIsSentTwice) {
  Forbid();
  settings_.outbox.batch_size = 1000;
  for (int i = 0; i < 600; ++i) Insert("account-" + std::to_string(i % 7), "0", kBad);
  MakeProcessor();
  RunOnce();
  const std::string later = Insert("account-1");
  for (int i = 0; i < 3; ++i) {
    fake_->Advance(seconds(11));
    try {
      RunOnce();
      ADD_FAILURE() << "it went on";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "SH-0511");
    }
    if (i == 1) MakeProcessor();  // another host
  }
  ExpectEverythingSentOnce(600);
  Allow();
  TryForAMinute();
  EXPECT_EQ(Pending(), 0);
  ExpectEverythingSentOnce(601);
}

TEST_P(OutboxRefusedByATriggerTest, ARunThatEndsSaysSo) {
  Forbid();
  const std::string bad = Insert("a", "0", kBad);
  Insert("b");
  MakeProcessor();
  tick_->SetFlags(SUMMA_TICK_ONCE | SUMMA_TICK_NEW_LEASE);
  std::string said;
  for (int i = 0; i < 5 && said.empty(); ++i) {
    try {
      processor_->Run(Tick(tick_->abi()));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "SH-0511");
      said = error.what();
    }
  }
  EXPECT_THAT(said, HasSubstr(bad));
  EXPECT_EQ(Pending(), 1);
  ExpectEverythingSentOnce(2);
}

TEST_P(OutboxRefusedByATriggerTest, WithTwoSinksBothHaveItOnce) {
  Forbid();
  settings_.outbox.sinks = {"bus", "second"};
  const std::string bad = Insert("a", "0", kBad);
  Insert("a");
  MakeProcessor();
  Drain();
  EXPECT_EQ(Pending(), 2) << "the second sink has none of them";
  settings_.outbox.sink = "second";
  MakeProcessor();
  Drain();
  TryForAMinute();
  EXPECT_EQ(SentIds().size(), 4U);
  EXPECT_EQ(Pending(), 1);
  ASSERT_EQ(Failing().size(), 1U);
  EXPECT_THAT(Failing()[0].found, HasSubstr(bad));
  Allow();
  TryForAMinute();
  EXPECT_EQ(Pending(), 0);
  EXPECT_EQ(SentIds().size(), 4U);
}

INSTANTIATE_TEST_SUITE_P(Ways, OutboxRefusedTest, testing::ValuesIn(kWays),
                         [](const auto& way) { return std::string(way.param.name); });

INSTANTIATE_TEST_SUITE_P(Ways, OutboxRefusedByATriggerTest, testing::Values(kWays[0]));

class OutboxRefusedElsewhereTest : public OutboxTest {};

// A host died after it had remembered what the bus confirmed and before it marked it; the next one
// is told to stop before it comes to the marks.
TEST_F(OutboxRefusedElsewhereTest, WhatWasRememberedIsMarkedAndNotSentAfterAStopInBetween) {
  for (int i = 0; i < 3; ++i) Insert("a");
  db_->Execute("INSERT INTO summa_host.outbox_sent (sink, outbox_id) SELECT 'bus', id FROM outbox");
  MakeProcessor();
  tick_->Stop();
  RunOnce();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status = 'pending'"), 3);
  tick_ = std::make_unique<testkit::FakeTick>(sql_->unleased());
  Drain();
  EXPECT_TRUE(SentIds().empty());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status = 'pending'"), 0);
}

TEST_F(OutboxRefusedElsewhereTest, AnAttemptThatCannotBeCountedHoldsItsKeyAlone) {
  db_->Execute(kWays[0].forbid);
  const std::string bad = Insert("a", "0", kBad);
  const std::string behind = Insert("a", "0", kBad), other = Insert("b");
  bool refuse = true;
  bus_.decide = [&](const summa_bus_message& message) {
    return refuse && FromAbi(message.id) == bad ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  MakeProcessor();
  for (int i = 0; i < 5; ++i) {
    Drain();
    fake_->Advance(seconds(61));
  }
  EXPECT_EQ(SentIds(), std::vector<std::string>{other});
  EXPECT_EQ(Field(other, "status"), "processed");
  EXPECT_GE(fake_->CountCode("SH-0511"), 1U);
  db_->Execute(kWays[0].allow);
  refuse = false;
  fake_->Advance(seconds(61));
  Drain();
  EXPECT_EQ(SentIds(), (std::vector<std::string>{other, bad, behind}));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status = 'pending'"), 0);
}

// Nothing of the ledger is at fault: it is tried again as a whole, under one lease without sending.
TEST_F(OutboxRefusedElsewhereTest, AServerThatIsFullIsNoRefusalOfRows) {
  db_->Execute(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
      "'full' "
      "USING ERRCODE = 'disk_full'; END $$; CREATE TRIGGER refuse BEFORE UPDATE ON outbox FOR EACH "
      "ROW EXECUTE FUNCTION refuse()");
  for (int i = 0; i < 5; ++i) Insert("a");
  MakeProcessor();
  for (int i = 0; i < 3; ++i) EXPECT_THROW(RunOnce(), Error);
  EXPECT_EQ(SentIds().size(), 5U);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.outbox_sent"), 0);
  db_->Execute("DROP TRIGGER refuse ON outbox");
  Drain();
  EXPECT_EQ(SentIds().size(), 5U);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE status = 'pending'"), 0);
}

TEST_F(OutboxRefusedElsewhereTest, CleanupDeletesTheOthersAndNamesIt) {
  db_->Execute(
      "CREATE TABLE customers_note (outbox_id uuid REFERENCES outbox (id));"
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'keep "
      "it'; END $$; CREATE TRIGGER refuse BEFORE DELETE ON outbox FOR EACH ROW WHEN (OLD.topic = "
      "'ledger-bad') EXECUTE FUNCTION refuse()");
  std::vector<std::string> kept;
  constexpr std::int64_t kRows = 1040;  // several batches
  for (int i = 0; i < kRows; ++i) {
    const bool refused = i == 7;
    const std::string id = Insert("a", "0", refused ? kBad : "ledger-account-credited");
    if (refused || i == 9) kept.push_back(id);
  }
  db_->Change("INSERT INTO customers_note VALUES ($1)", {kept[1]});
  db_->Execute(
      "UPDATE outbox SET status = 'processed', processed_at = now() - interval '49 hours'");
  Cleanup cleanup(fake_->host(), std::chrono::hours(48));
  testkit::FakeTick tick(sql_->unleased());
  EXPECT_EQ(cleanup.Run(Tick(tick.abi())).items, kRows - 2);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox"), 2);
  ASSERT_EQ(cleanup.Failing().size(), 1U);
  for (const std::string& id : kept) EXPECT_THAT(cleanup.Failing()[0].found, HasSubstr(id));
  EXPECT_THAT(cleanup.Failing()[0].found, HasSubstr("23503"));
  EXPECT_EQ(cleanup.Run(Tick(tick.abi())).items, 0);
  EXPECT_EQ(fake_->CountCode("SH-0511"), 1U) << "it is said once";
  db_->Execute("DROP TABLE customers_note; DROP TRIGGER refuse ON outbox");
  EXPECT_EQ(cleanup.Run(Tick(tick.abi())).items, 2);
  EXPECT_TRUE(cleanup.Failing().empty());
}

}  // namespace
}  // namespace summa::outbox
