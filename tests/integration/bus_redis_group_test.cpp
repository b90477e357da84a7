// Consumer groups on a real Redis: nobody misses a message, and what was not acknowledged comes
// again.
#include <thread>

#include "tests/integration/bus_redis_support.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::microseconds kNoWait{0};
constexpr std::chrono::microseconds kLongWait{30'000'000};

// Remembers what the bus reported of polls.
class PollEvents final : public BusEvents {
 public:
  void Polled(const GroupReaderOptions&, const PollSummary& summary) override {
    redelivered += summary.redelivered;
    lost.insert(lost.end(), summary.lost_ids.begin(), summary.lost_ids.end());
  }
  std::size_t redelivered = 0;
  std::vector<std::string> lost;
};

class BusRedisGroup : public BusRedis {
 protected:
  void SetUp() override {
    BusRedis::SetUp();
    bus_ = std::make_unique<RedisBus>(Options(), &polls_);
  }
  void PublishNumbers(std::size_t from, std::size_t to) {
    Batch batch;
    for (std::size_t i = from; i < to; ++i) batch.Add("a", std::to_string(i)).position = 100;
    EXPECT_FALSE(batch.Publish(*bus_));
  }
  static std::vector<std::string> IdsOf(std::span<const summa_bus_delivery> deliveries) {
    std::vector<std::string> ids;
    for (const auto& delivery : deliveries) ids.emplace_back(FromAbi(delivery.message.id));
    return ids;
  }
  static void AckAll(Subscription& subscription, std::span<const summa_bus_delivery> deliveries) {
    std::vector<summa_str> ids;
    for (const auto& delivery : deliveries) ids.push_back(delivery.delivery_id);
    subscription.Ack(ids);
  }
  // Polls and acknowledges until there is nothing more.
  static std::vector<std::string> Drain(Subscription& subscription, std::size_t page = 7) {
    std::vector<std::string> ids;
    for (;;) {
      const auto deliveries = subscription.Poll(page, kNoWait);
      if (deliveries.empty()) return ids;
      for (const std::string& id : IdsOf(deliveries)) ids.push_back(id);
      AckAll(subscription, deliveries);
    }
  }

  PollEvents polls_;
  std::unique_ptr<RedisBus> bus_;
};

TEST_F(BusRedisGroup, AGroupMadeLaterGetsWhatWasPublishedBefore) {
  PublishNumbers(0, 20);
  const auto subscription = bus_->Subscribe("a", "late", "c1");
  EXPECT_EQ(Drain(*subscription), Numbers(20));
  EXPECT_THAT(subscription->Poll(10, kNoWait), IsEmpty());
}

TEST_F(BusRedisGroup, TwoGroupsEachGetEveryMessage) {
  const auto first = bus_->Subscribe("a", "first", "c");
  const auto second = bus_->Subscribe("a", "second", "c");
  PublishNumbers(0, 30);
  EXPECT_EQ(Drain(*first), Numbers(30));
  EXPECT_EQ(Drain(*second), Numbers(30));
}

TEST_F(BusRedisGroup, TwoConsumersOfOneGroupShareTheMessages) {
  const auto first = bus_->Subscribe("a", "g", "c1");
  const auto second = bus_->Subscribe("a", "g", "c2");
  PublishNumbers(0, 20);
  EXPECT_EQ(IdsOf(first->Poll(10, kNoWait)).size(), 10U);
  EXPECT_EQ(IdsOf(second->Poll(100, kNoWait)).size(), 10U);
}

TEST_F(BusRedisGroup, ADeliveryHasAllFields) {
  Batch batch;
  summa_bus_message& message = batch.Add("a", "7", R"({"x":1})");
  message.position = 12;
  message.correlation_id = batch.Keep("corr");
  EXPECT_FALSE(batch.Publish(*bus_));
  const auto subscription = bus_->Subscribe("a", "g", "c");
  const auto deliveries = subscription->Poll(1, kNoWait);
  ASSERT_EQ(deliveries.size(), 1U);
  const summa_bus_delivery& delivery = deliveries[0];
  EXPECT_EQ(FromAbi(delivery.message.stream), "a");
  EXPECT_EQ(FromAbi(delivery.message.id), "7");
  EXPECT_EQ(FromAbi(delivery.message.type), "type-of-a");
  EXPECT_EQ(FromAbi(delivery.message.key), "key-of-7");
  EXPECT_EQ(FromAbi(delivery.message.payload), R"({"x":1})");
  EXPECT_EQ(FromAbi(delivery.message.timestamp), "2026-01-31T12:00:00.123456Z");
  EXPECT_EQ(FromAbi(delivery.message.correlation_id), "corr");
  EXPECT_EQ(delivery.message.position, 12);
  EXPECT_EQ(delivery.delivery_count, 1);
}

TEST_F(BusRedisGroup, WhatWasNotAcknowledgedComesAgainFirstAndIsCounted) {
  PublishNumbers(0, 5);
  {
    const auto subscription = bus_->Subscribe("a", "g", "c");
    const auto deliveries = subscription->Poll(3, kNoWait);
    ASSERT_EQ(IdsOf(deliveries), Numbers(3));
    const summa_str handled = deliveries[1].delivery_id;
    subscription->Ack({&handled, 1});
  }
  const auto again = bus_->Subscribe("a", "g", "c");
  const auto pending = again->Poll(10, kNoWait);
  EXPECT_THAT(IdsOf(pending), ElementsAre("0", "2"));
  EXPECT_EQ(pending[0].delivery_count, 2);
  EXPECT_EQ(pending[1].delivery_count, 2);
  EXPECT_EQ(polls_.redelivered, 2U);
  AckAll(*again, pending);
  const auto fresh = again->Poll(10, kNoWait);
  EXPECT_THAT(IdsOf(fresh), ElementsAre("3", "4"));
  EXPECT_EQ(fresh[0].delivery_count, 1);
}

TEST_F(BusRedisGroup, UnacknowledgedEntriesDoNotHideThoseBehindThem) {
  PublishNumbers(0, 10);
  { EXPECT_EQ(bus_->Subscribe("a", "g", "c")->Poll(10, kNoWait).size(), 10U); }
  const auto again = bus_->Subscribe("a", "g", "c");
  EXPECT_EQ(IdsOf(again->Poll(4, kNoWait)), Numbers(4));
  EXPECT_THAT(IdsOf(again->Poll(4, kNoWait)), ElementsAre("4", "5", "6", "7"));
  EXPECT_THAT(IdsOf(again->Poll(4, kNoWait)), ElementsAre("8", "9"));
  EXPECT_THAT(again->Poll(4, kNoWait), IsEmpty());
}

TEST_F(BusRedisGroup, APollThatWaitsIsWokenByAPublish) {
  const auto subscription = bus_->Subscribe("a", "g", "c");
  std::thread publisher([&] {
    EXPECT_TRUE(test::BecomesTrue([&] {
      return redis_->Command({"CLIENT", "LIST"}).text.find("cmd=xreadgroup") != std::string::npos;
    }));
    PublishNumbers(0, 1);
  });
  EXPECT_EQ(IdsOf(subscription->Poll(10, kLongWait)), Numbers(1));
  publisher.join();
}

TEST_F(BusRedisGroup, AnIdlePollEndsAfterItsTime) {
  const auto subscription = bus_->Subscribe("a", "g", "c");
  EXPECT_THAT(subscription->Poll(10, std::chrono::milliseconds(20)), IsEmpty());
}

TEST_F(BusRedisGroup, StopWakesAPollThatWaits) {
  const auto subscription = bus_->Subscribe("a", "g", "c");
  std::thread stopper([&] {
    EXPECT_TRUE(test::BecomesTrue([&] {
      return redis_->Command({"CLIENT", "LIST"}).text.find("cmd=xreadgroup") != std::string::npos;
    }));
    bus_->Stop();
  });
  const Error stopped = ErrorOf([&] { subscription->Poll(10, kLongWait); });
  stopper.join();
  EXPECT_EQ(stopped.status(), SUMMA_E_CANCELLED);
}

TEST_F(BusRedisGroup, ADeletedStreamGetsItsGroupAgainAndMissesNothing) {
  const auto subscription = bus_->Subscribe("a", "g", "c");
  PublishNumbers(0, 3);
  EXPECT_EQ(Drain(*subscription), Numbers(3));
  redis_->Command({"DEL", "summa:stream:a"});
  PublishNumbers(3, 5);
  EXPECT_THAT(Drain(*subscription), ElementsAre("3", "4"));
}

TEST_F(BusRedisGroup, AStreamDeletedWhileWeWaitInItIsNoError) {
  const auto subscription = bus_->Subscribe("a", "g", "c");
  std::thread deleter([&] {
    EXPECT_TRUE(test::BecomesTrue([&] {
      return redis_->Command({"CLIENT", "LIST"}).text.find("cmd=xreadgroup") != std::string::npos;
    }));
    redis_->Command({"DEL", "summa:stream:a"});
    PublishNumbers(0, 2);
  });
  std::vector<std::string> ids;
  EXPECT_TRUE(test::BecomesTrue([&] {
    const auto deliveries = subscription->Poll(10, std::chrono::milliseconds(100));
    for (const std::string& id : IdsOf(deliveries)) ids.push_back(id);
    return ids.size() >= 2;
  }));
  deleter.join();
  EXPECT_EQ(ids, Numbers(2));
}

TEST_F(BusRedisGroup, AfterALostConnectionThePendingEntriesComeAgain) {
  PublishNumbers(0, 4);
  const auto subscription = bus_->Subscribe("a", "g", "c");
  EXPECT_EQ(IdsOf(subscription->Poll(2, kNoWait)), Numbers(2));
  test::RedisClient(server_->Url()).Command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  const auto pending = subscription->Poll(10, kNoWait);
  EXPECT_EQ(IdsOf(pending), Numbers(2));
  EXPECT_EQ(pending[0].delivery_count, 2);
  AckAll(*subscription, pending);
  EXPECT_THAT(Drain(*subscription), ElementsAre("2", "3"));
}

TEST_F(BusRedisGroup, RedisRestartedUnderASubscriptionIsFoundAgain) {
  const auto subscription = bus_->Subscribe("a", "g", "c");
  server_->Restart();  // without persistence: stream and group are gone
  redis_ = std::make_unique<test::RedisClient>(server_->Url());
  EXPECT_TRUE(test::BecomesTrue([&] {
    Batch batch;
    batch.Add("a", "0");
    return !batch.Publish(*bus_);
  }));
  EXPECT_TRUE(test::BecomesTrue([&] {
    try {
      return !subscription->Poll(10, kNoWait).empty();
    } catch (const Error&) {
      return false;
    }
  }));
}

TEST_F(BusRedisGroup, EntriesTrimmedWhilePendingAreReportedAsLostAndNotKeptForEver) {
  PublishNumbers(0, 4);
  { EXPECT_EQ(bus_->Subscribe("a", "g", "c")->Poll(4, kNoWait).size(), 4U); }
  redis_->Command({"XTRIM", "summa:stream:a", "MAXLEN", "1"});
  const auto again = bus_->Subscribe("a", "g", "c");
  EXPECT_THAT(IdsOf(again->Poll(10, kNoWait)), ElementsAre("3"));
  EXPECT_EQ(polls_.lost.size(), 3U);
  EXPECT_EQ(redis_->Command({"XPENDING", "summa:stream:a", "g"}).items.at(0).integer, 1);
}

TEST_F(BusRedisGroup, AKeyThatIsNoStreamCannotBeSubscribed) {
  redis_->Command({"SET", "summa:stream:a", "text"});
  EXPECT_EQ(ErrorOf([&] { bus_->Subscribe("a", "g", "c"); }).code(), "SH-0604");
  EXPECT_EQ(ErrorOf([&] { bus_->Subscribe("a b", "g", "c"); }).code(), "SH-0605");
  EXPECT_EQ(ErrorOf([&] { bus_->Subscribe("a", "", "c"); }).code(), "SH-0605");
}

}  // namespace
}  // namespace summa::bus_redis
