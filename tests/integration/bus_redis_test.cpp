// Publishing to a real Redis: what stands in the stream, in which order, and what every receipt
// says.
#include <atomic>
#include <thread>

#include "tests/integration/bus_redis_support.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr int kConfirmed = SUMMA_BUS_CONFIRMED;
constexpr int kRefused = SUMMA_BUS_REFUSED;
constexpr int kFault = SUMMA_BUS_STREAM_FAULT;
constexpr int kUnsent = SUMMA_BUS_UNSENT;

TEST_F(BusRedis, EveryFieldOfTheContractStandsInTheStream) {
  Batch batch;
  summa_bus_message& message = batch.Add("credited", "0190-1", R"({"amount":"10"})");
  message.position = 42;
  message.correlation_id = batch.Keep("c-7");
  const auto bus = MakeBus();
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_THAT(batch.Outcomes(), ElementsAre(kConfirmed));

  const auto stored = redis_->StreamMessages("summa:stream:credited");
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_THAT(stored[0].fields,
              UnorderedElementsAre(Pair("id", "0190-1"), Pair("type", "type-of-credited"),
                                   Pair("payload", R"({"amount":"10"})"),
                                   Pair("timestamp", "2026-01-31T12:00:00.123456Z"),
                                   Pair("key", "key-of-0190-1"), Pair("position", "42"),
                                   Pair("correlationId", "c-7")));
}

TEST_F(BusRedis, UnknownPositionAndCorrelationAreLeftOut) {
  Batch batch;
  batch.Add("credited", "1");
  const auto bus = MakeBus();
  EXPECT_FALSE(batch.Publish(*bus));
  const auto stored = redis_->StreamMessages("summa:stream:credited");
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].fields.count("position"), 0U);
  EXPECT_EQ(stored[0].fields.count("correlationId"), 0U);
}

TEST_F(BusRedis, BinaryPayloadsArriveByteForByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  bytes += "\r\n*1\r\n$4\r\nQUIT\r\n";
  Batch batch;
  batch.Add("credited", "1", bytes);
  batch.Add("credited", "2", "");
  const auto bus = MakeBus();
  EXPECT_FALSE(batch.Publish(*bus));
  const auto stored = redis_->StreamMessages("summa:stream:credited");
  ASSERT_EQ(stored.size(), 2U);
  EXPECT_EQ(stored[0].fields.at("payload"), bytes);
  EXPECT_EQ(stored[1].fields.at("payload"), "");
}

TEST_F(BusRedis, AnEmptyBatchNeedsNoRedis) {
  server_->Stop();
  Batch batch;
  const auto bus = MakeBus();
  EXPECT_FALSE(batch.Publish(*bus));
}

TEST_F(BusRedis, HundredThousandMessagesOfFiveStreamsArriveOnceAndInOrder) {
  constexpr std::size_t kMessages = 100'000;
  constexpr std::size_t kStreams = 5;
  Batch batch;
  for (std::size_t i = 0; i < kMessages; ++i) {
    batch.Add("s" + std::to_string(i % kStreams), std::to_string(i / kStreams));
  }
  const auto bus = MakeBus();
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_EQ(batch.Count(kConfirmed), kMessages);
  for (std::size_t stream = 0; stream < kStreams; ++stream) {
    const std::string name = "s" + std::to_string(stream);
    EXPECT_EQ(redis_->StreamLength("summa:stream:" + name), kMessages / kStreams);
    EXPECT_EQ(Ids(name), Numbers(kMessages / kStreams));
  }
}

TEST_F(BusRedis, APipelineBoundedByBytesKeepsTheOrder) {
  RedisBusOptions options = Options();
  options.writer.max_pipeline_bytes = 64 << 10;
  Batch batch;
  for (int i = 0; i < 50; ++i) batch.Add("big", std::to_string(i), std::string(100'000, 'x'));
  const auto bus = MakeBus(options);
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_THAT(batch.Outcomes(), Each(kConfirmed));
  EXPECT_EQ(Ids("big"), Numbers(50));
}

TEST_F(BusRedis, APayloadAboveTheLimitIsRefusedAndHoldsUpOnlyItsStream) {
  RedisBusOptions options = Options();
  options.writer.max_message_bytes = 1000;
  Batch batch;
  batch.Add("a", "0", std::string(1000, 'x'));
  batch.Add("a", "1", std::string(1001, 'x'));
  batch.Add("b", "0");
  batch.Add("a", "2");
  batch.Add("b", "1");
  const auto bus = MakeBus(options);
  EXPECT_EQ(bus->MaxMessageBytes(), 1000U);
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_THAT(batch.Outcomes(), ElementsAre(kConfirmed, kRefused, kConfirmed, kUnsent, kConfirmed));
  EXPECT_THAT(batch.receipts[1].error, HasSubstr("1001 bytes"));
  EXPECT_THAT(batch.receipts[3].error, HasSubstr("earlier message of its stream"));
  EXPECT_THAT(Ids("a"), ElementsAre("0"));
  EXPECT_THAT(Ids("b"), ElementsAre("0", "1"));
}

TEST_F(BusRedis, ANameThatIsNoStreamIsRefusedWithoutBeingSent) {
  Batch batch;
  batch.Add("no stream", "0");
  batch.Add(std::string(201, 'a'), "0");
  batch.Add("good", "0");
  const auto bus = MakeBus();
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_THAT(batch.Outcomes(), ElementsAre(kRefused, kRefused, kConfirmed));
  EXPECT_THAT(redis_->Keys("*"), ElementsAre("summa:stream:good"));
}

TEST_F(BusRedis, AKeyOfAnotherTypePausesOnlyItsStream) {
  redis_->Command({"SET", "summa:stream:broken", "text"});
  Batch batch;
  for (const char* id : {"0", "1", "2"}) {
    batch.Add("good", id);
    batch.Add("broken", id);
  }
  const auto bus = MakeBus();
  EXPECT_FALSE(batch.Publish(*bus)) << "the bus itself is well";
  EXPECT_THAT(batch.Outcomes(),
              ElementsAre(kConfirmed, kFault, kConfirmed, kUnsent, kConfirmed, kUnsent));
  EXPECT_THAT(batch.receipts[1].error, HasSubstr("summa:stream:broken: WRONGTYPE"));
  EXPECT_THAT(Ids("good"), ElementsAre("0", "1", "2"));

  Batch single;
  single.Add("broken", "0");
  EXPECT_FALSE(single.Publish(*bus));
  EXPECT_THAT(single.Outcomes(), ElementsAre(kFault));
}

TEST_F(BusRedis, AFaultInAnEarlierWindowKeepsLaterWindowsOfItsStreamUnsent) {
  redis_->Command({"SET", "summa:stream:broken", "text"});
  Batch batch;
  for (int i = 0; i < 2500; ++i) batch.Add(i % 2 == 0 ? "broken" : "good", std::to_string(i / 2));
  const auto bus = MakeBus();
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_EQ(batch.Count(kFault), 1U);
  EXPECT_EQ(batch.Count(kUnsent), 1249U);
  EXPECT_EQ(Ids("good"), Numbers(1250));
}

TEST_F(BusRedis, AFullRedisIsAFaultOfTheStreamAndEndsWithTheShortage) {
  const auto bus = MakeBus();
  redis_->Command({"CONFIG", "SET", "maxmemory", "1"});
  Batch batch;
  for (const char* id : {"0", "1", "2"}) batch.Add("a", id);
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_THAT(batch.Outcomes(), ElementsAre(kFault, kUnsent, kUnsent));
  EXPECT_THAT(batch.receipts[0].error, HasSubstr("OOM"));
  EXPECT_EQ(redis_->StreamLength("summa:stream:a"), 0);

  redis_->Command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_THAT(batch.Outcomes(), Each(kConfirmed));
  EXPECT_THAT(Ids("a"), ElementsAre("0", "1", "2"));
}

TEST_F(BusRedis, AnErrorThatComesAndGoesInTheMiddleOfBatchesTurnsNothingRound) {
  constexpr std::size_t kPerStream = 10'000;
  Batch batch;
  for (std::size_t i = 0; i < kPerStream; ++i) {
    for (const char* stream : {"a", "b", "c"}) batch.Add(stream, std::to_string(i));
  }
  std::atomic<bool> done{false};
  std::thread memory([&] {
    test::RedisClient client(server_->Url());
    while (!done) {
      client.Command({"CONFIG", "SET", "maxmemory", "1"});
      client.Command({"CONFIG", "SET", "maxmemory", "0"});
    }
  });
  const auto bus = MakeBus();
  std::size_t faults = 0;
  test::BecomesTrue([&] {
    EXPECT_FALSE(batch.Publish(*bus));
    faults += batch.Count(kFault);
    batch.KeepUnconfirmed();
    return batch.messages.empty();
  });
  done = true;
  memory.join();
  EXPECT_TRUE(batch.messages.empty());
  EXPECT_GT(faults, 0U) << "the test did not hit a shortage in the middle";
  for (const char* stream : {"a", "b", "c"}) {
    EXPECT_EQ(redis_->StreamLength(std::string("summa:stream:") + stream), kPerStream)
        << "nothing lost, nothing twice";
    EXPECT_EQ(Ids(stream), Numbers(kPerStream)) << stream;
  }
}

TEST_F(BusRedis, PublishersInSeveralThreadsShareTheBus) {
  const auto bus = MakeBus();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 20; ++round) {
        Batch batch;
        for (int i = 0; i < 50; ++i) {
          batch.Add("t" + std::to_string(thread), std::to_string(round * 50 + i));
        }
        EXPECT_FALSE(batch.Publish(*bus));
        EXPECT_EQ(batch.Count(kConfirmed), 50U);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int thread = 0; thread < 4; ++thread) {
    EXPECT_EQ(Ids("t" + std::to_string(thread)), Numbers(1000));
  }
}

TEST_F(BusRedis, TheCTableGivesReceiptsAndStatusOverTheBoundary) {
  const auto bus = MakeBus();
  const detail::BusTable table(bus.get());
  const summa_bus_v1* abi = table.table();
  EXPECT_EQ(abi->max_message_bytes, 1U << 20);
  Batch batch;
  batch.Add("a", "0");
  batch.receipts.assign(1, {-1, {}});
  summa_error error = detail::EmptyError();
  EXPECT_EQ(abi->publish(abi->self, batch.messages.data(), 1, batch.receipts.data(), &error),
            SUMMA_OK);
  EXPECT_EQ(batch.receipts[0].outcome, kConfirmed);
  server_->Stop();
  EXPECT_EQ(abi->publish(abi->self, batch.messages.data(), 1, batch.receipts.data(), &error),
            SUMMA_E_UNAVAILABLE);
  EXPECT_EQ(batch.receipts[0].outcome, kUnsent);
  EXPECT_STREQ(error.code, "SH-0601");
}

}  // namespace
}  // namespace summa::bus_redis
