// The appender's memory against the server's, and the observation against a database in which the
// violations are real.
#include "tests/faults/appender.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/faults/checker.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class AppenderTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    PostgresOptions durable;
    durable.fsync = true;
    server_ = new PostgresServer(durable);
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    static int number = 0;
    name_ = "appender_" + std::to_string(++number);
    url_ = InstallLedger(*server_, name_);
  }
  void AppendUntil(Appender& appender, long long transactions) {
    WaitUntil([&] { return appender.Acknowledged() >= transactions; }, seconds(60), "traffic");
  }
  std::set<std::string> Ids(const std::string& table) {
    const auto ids = Db(url_).Column("SELECT id FROM " + table);
    return {ids.begin(), ids.end()};
  }

  static PostgresServer* server_;
  std::string name_, url_;
};

PostgresServer* AppenderTest::server_ = nullptr;

TEST_F(AppenderTest, KnowsEveryRowThatItsTransactionsMade) {
  EnsureAccounts(url_, 5);
  const auto before = Ids("outbox"), events_before = Ids("ledger_event");
  Appender appender(url_, {.connections = 3, .accounts = 5});
  appender.Start();
  AppendUntil(appender, 60);
  appender.Stop();
  EXPECT_EQ(appender.Failed(), 0) << appender.LastError();
  auto known = appender.Ids();
  EXPECT_TRUE(known.maybe_outbox.empty());
  known.outbox.insert(before.begin(), before.end());
  known.events.insert(events_before.begin(), events_before.end());
  EXPECT_EQ(known.outbox, Ids("outbox"));
  EXPECT_EQ(known.events, Ids("ledger_event"));
}

TEST_F(AppenderTest, WhatItCallsAcknowledgedSurvivesAKilledServerAndItGoesOn) {
  Appender appender(url_, {.connections = 4, .accounts = 5});
  appender.Start();
  for (int round = 0; round < 3; ++round) {
    AppendUntil(appender, appender.Acknowledged() + 20);
    server_->KillNine();
    server_->Start();
  }
  AppendUntil(appender, appender.Acknowledged() + 20);
  appender.Stop();
  const auto rows = Ids("outbox"), events = Ids("ledger_event");
  for (const std::string& id : appender.Ids().outbox) EXPECT_TRUE(rows.contains(id)) << id;
  for (const std::string& id : appender.Ids().events) EXPECT_TRUE(events.contains(id)) << id;
  EXPECT_THAT(LedgerViolations(url_), ElementsAre());
}

TEST_F(AppenderTest, AnObservationShowsWhatTheServersHold) {
  RedisServer redis;
  Appender appender(url_, {.connections = 1, .accounts = 3});
  appender.Start();
  AppendUntil(appender, 5);
  appender.Stop();
  server_->RunSql(name_,
                  "CREATE SCHEMA summa_host; CREATE TABLE summa_host.worker_fence (worker text "
                  "PRIMARY KEY, fence bigint NOT NULL);");
  WatchFences(*server_, name_, "outbox-processor", {"outbox"});
  Db first(url_ + "&application_name=summa-host/first"), db(url_);
  Db second(url_ + "&application_name=summa-host/second%20leases");
  first.Execute("INSERT INTO summa_host.worker_fence VALUES ('outbox-processor', 1)");
  first.Execute("UPDATE outbox SET status = 'processed', processed_at = now()");
  db.Execute("UPDATE outbox SET retry_count = 1");  // nobody's business
  second.Execute("UPDATE summa_host.worker_fence SET fence = fence");
  second.Execute("UPDATE summa_host.worker_fence SET fence = 2");
  first.Execute("UPDATE outbox SET retry_count = 2");  // stale
  second.Execute(
      "INSERT INTO worker_lease VALUES ('outbox-processor', 'summa-host/second/1/a', now() + "
      "interval '1 hour')");
  first.Execute("BEGIN; SELECT 1");
  RedisClient(redis.Url())
      .Command({"XADD", "summa:stream:x", "*", "id", "none", "type", "x", "payload", "{}"});

  const ObserveOptions options{url_, redis.Url(), "summa", {}, std::chrono::milliseconds(0)};
  Observation seen = Observe(options, appender.Ids());
  ASSERT_EQ(seen.fences.size(), 2u);
  EXPECT_EQ(seen.fences[1].host, "second");
  EXPECT_EQ(seen.fences[1].fence, 2);
  ASSERT_EQ(seen.writes.size(), 2u);
  EXPECT_EQ(seen.writes[0].fence_owner, "first");
  EXPECT_EQ(seen.writes[1].written_by, "first");
  EXPECT_EQ(seen.writes[1].fence_owner, "second");
  const auto violations = Violations(seen);
  for (const char* expected :
       {"I5: acknowledged outbox row", "I5: message none", "I7: transaction",
        "I12: left open by summa-host/first", "I12: a lease outlived its holder"}) {
    EXPECT_THAT(violations, Contains(HasSubstr(expected)));
  }
  seen = Observe({url_, redis.Url(), "summa", {"first", "second"}, {}}, {});
  EXPECT_TRUE(seen.open_transactions.empty());
  EXPECT_TRUE(seen.held_leases.empty());
}

}  // namespace
}  // namespace summa::test
