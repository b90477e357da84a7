// A Redis that is down, dies, freezes, refuses the login or cannot serve: nothing is claimed that
// is not so, and the bus comes back by itself.
#include <sys/types.h>

#include <atomic>
#include <thread>

#include "tests/integration/bus_redis_support.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

using BusRedisFaults = BusRedis;

constexpr int kConfirmed = SUMMA_BUS_CONFIRMED;
constexpr int kUnsent = SUMMA_BUS_UNSENT;

TEST_F(BusRedisFaults, ABusMadeWhileRedisIsDownSaysSoAndWorksWhenItIsUp) {
  server_->Stop();
  const auto bus = MakeBus();
  const Error down = ErrorOf([&] { bus->Ping(); });
  EXPECT_EQ(down.status(), SUMMA_E_UNAVAILABLE);
  EXPECT_EQ(down.code(), "SH-0601");
  EXPECT_FALSE(down.hint().empty());

  Batch batch;
  for (const std::string& id : Numbers(3)) batch.Add("a", id);
  const auto failure = batch.Publish(*bus);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->status(), SUMMA_E_UNAVAILABLE);
  EXPECT_THAT(batch.Outcomes(), Each(kUnsent));
  EXPECT_THAT(batch.receipts[0].error, HasSubstr("Redis at unix://"));
  EXPECT_EQ(ErrorOf([&] { bus->Subscribe("a", "g", "c"); }).status(), SUMMA_E_UNAVAILABLE);

  server_->Start();
  redis_ = std::make_unique<test::RedisClient>(server_->Url());
  EXPECT_TRUE(test::BecomesTrue([&] {
    try {
      bus->Ping();
      return true;
    } catch (const Error&) {
      return false;
    }
  }));
  PublishUntilConfirmed(batch, *bus);
  EXPECT_EQ(Ids("a"), Numbers(3));
}

TEST_F(BusRedisFaults, DuringTheBackoffPublishFailsAtOnceInsteadOfWaiting) {
  server_->Stop();
  const auto bus = MakeBus();
  Batch batch;
  batch.Add("a", "0");
  std::size_t waiting = 0;
  for (int i = 0; i < 200; ++i) {
    const auto failure = batch.Publish(*bus);
    ASSERT_TRUE(failure);
    if (std::string(failure->what()).find("next attempt in") != std::string::npos) ++waiting;
  }
  EXPECT_GT(waiting, 100U);
}

TEST_F(BusRedisFaults, AConnectionKilledInTheMiddleOfABatchLosesAndTurnsRoundNothing) {
  constexpr std::size_t kMessages = 200'000;
  constexpr int kKills = 20;
  const auto bus = MakeBus();
  Batch batch;
  for (const std::string& id : Numbers(kMessages)) batch.Add("a", id);
  std::atomic<int> kills{0};
  std::thread killer([&] {
    test::RedisClient client(server_->Url());
    // Again and again while the stream grows: one between two windows is not noticed.
    for (int kill = 1; kill <= kKills; ++kill) {
      test::BecomesTrue([&] { return client.StreamLength("summa:stream:a") > kill * 8'000; });
      client.Command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
      ++kills;
    }
  });
  std::size_t failures = 0;
  PublishUntilConfirmed(batch, *bus, &failures);
  killer.join();
  redis_ = std::make_unique<test::RedisClient>(server_->Url());
  EXPECT_EQ(kills, kKills);
  EXPECT_GT(failures, 0U) << "no kill hit a batch";
  EXPECT_EQ(Ids("a"), Numbers(kMessages));
}

TEST_F(BusRedisFaults, WhatWasNotAnsweredIsUnsentWithTheReason) {
  RedisBusOptions options = Options();
  options.command_timeout = std::chrono::seconds(2);
  const auto bus = MakeBus(options);
  bus->Ping();
  Batch batch;
  for (const std::string& id : Numbers(10)) batch.Add("a", id);
  ASSERT_EQ(kill(server_->Pid(), SIGSTOP), 0);
  const auto failure = batch.Publish(*bus);
  ASSERT_EQ(kill(server_->Pid(), SIGCONT), 0);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->status(), SUMMA_E_UNAVAILABLE);
  EXPECT_THAT(batch.Outcomes(), Each(kUnsent));
  EXPECT_THAT(batch.receipts[9].error, HasSubstr("ms"));
  PublishUntilConfirmed(batch, *bus);
  EXPECT_EQ(Ids("a"), Numbers(10));
}

TEST_F(BusRedisFaults, AConnectionClosedWhileIdleIsReplacedWithoutAFailedBatch) {
  const auto bus = MakeBus();
  Batch batch;
  batch.Add("a", "0");
  EXPECT_FALSE(batch.Publish(*bus));
  test::RedisClient(server_->Url()).Command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_THAT(batch.Outcomes(), Each(kConfirmed));
}

TEST_F(BusRedisFaults, ARestartedRedisIsFoundAgain) {
  const auto bus = MakeBus();
  Batch batch;
  batch.Add("a", "0");
  EXPECT_FALSE(batch.Publish(*bus));
  server_->Restart();
  batch.Publish(*bus);
  PublishUntilConfirmed(batch, *bus);
}

TEST_F(BusRedisFaults, AReplicaIsNoPlaceToWriteAndTheMessagesAreUnsent) {
  const auto bus = MakeBus();
  redis_->Command({"REPLICAOF", "127.0.0.1", "1"});
  Batch batch;
  for (const std::string& id : Numbers(3)) batch.Add("a", id);
  const auto failure = batch.Publish(*bus);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), "SH-0603");
  EXPECT_THAT(failure->what(), HasSubstr("READONLY"));
  EXPECT_THAT(batch.Outcomes(), Each(kUnsent));
  redis_->Command({"REPLICAOF", "NO", "ONE"});
  PublishUntilConfirmed(batch, *bus);
  EXPECT_EQ(Ids("a"), Numbers(3));
}

TEST_F(BusRedisFaults, AWrongPasswordIsNamedButNeverPrinted) {
  redis_->Command({"CONFIG", "SET", "requirepass", "right"});
  RedisBusOptions options = Options();
  options.url.user.clear();
  options.url.password = "wr0ng-secret";
  const Error refused = ErrorOf([&] { MakeBus(options)->Ping(); });
  EXPECT_EQ(refused.status(), SUMMA_E_UNAVAILABLE);
  EXPECT_EQ(refused.code(), "SH-0602");
  EXPECT_THAT(refused.what() + refused.hint(), Not(HasSubstr("wr0ng-secret")));

  options.url.password.clear();
  EXPECT_EQ(ErrorOf([&] { MakeBus(options)->Ping(); }).code(), "SH-0602");
  options.url.password = "right";
  MakeBus(options)->Ping();
}

TEST_F(BusRedisFaults, AUserWithPasswordLogsInAndUsesItsDatabase) {
  redis_->Command({"ACL", "SETUSER", "summa", "on", ">pw", "~summa:*", "+@all"});
  RedisBusOptions options = Options();
  options.url.user = "summa";
  options.url.password = "pw";
  options.url.database = 3;
  Batch batch;
  batch.Add("a", "0");
  EXPECT_FALSE(batch.Publish(*MakeBus(options)));
  EXPECT_EQ(redis_->StreamLength("summa:stream:a"), 0);
  redis_->Command({"SELECT", "3"});
  EXPECT_EQ(redis_->StreamLength("summa:stream:a"), 1);
}

TEST_F(BusRedisFaults, ALoginWithoutTransactionsIsRefusedBeforeAnythingIsSent) {
  redis_->Command({"ACL", "SETUSER", "summa", "on", ">pw", "~*", "+@all", "-multi"});
  RedisBusOptions options = Options();
  options.url.user = "summa";
  options.url.password = "pw";
  Batch batch;
  for (const std::string& id : Numbers(3)) batch.Add("a", id);
  const auto failure = batch.Publish(*MakeBus(options));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), "SH-0609");
  EXPECT_THAT(batch.Outcomes(), Each(kUnsent));
  EXPECT_EQ(redis_->StreamLength("summa:stream:a"), 0);
}

TEST_F(BusRedisFaults, AWrongDatabaseNumberIsNamed) {
  RedisBusOptions options = Options();
  options.url.database = 9999;
  EXPECT_THAT(ErrorOf([&] { MakeBus(options)->Ping(); }).what(), HasSubstr("SELECT"));
}

TEST_F(BusRedisFaults, TcpWorksLikeASocket) {
  test::RedisOptions tcp;
  tcp.tcp = true;
  test::RedisServer server(tcp);
  RedisBusOptions options = Options();
  options.url = ParseRedisUrl(server.TcpUrl());
  const auto bus = MakeBus(options);
  Batch batch;
  for (const std::string& id : Numbers(5000)) batch.Add("a", id);
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_EQ(batch.Count(kConfirmed), 5000U);
}

}  // namespace
}  // namespace summa::bus_redis
