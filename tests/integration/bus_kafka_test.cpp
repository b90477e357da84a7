// bus-kafka against a real Kafka: what goes wrong, and what is promised then.
#include <malloc.h>

#include <csignal>

#include "tests/integration/bus_kafka_support.hpp"

namespace summa::bus_kafka {
namespace {

class BusKafka : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (KafkaServer::Jars()) server_ = new KafkaServer();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_ == nullptr)
      GTEST_SKIP() << "skipped: there is no Kafka (tests/services/kafka/fetch)";
    prefix_ = "t" + std::to_string(++number_) + "-";
  }
  KafkaBusOptions Options() {
    KafkaBusOptions options;
    options.client.brokers = server_->Brokers();
    options.topic_prefix = prefix_;
    options.topics.partitions = kPartitions;
    options.writer.publish_timeout = milliseconds(5000);
    options.commit_interval = milliseconds(100);
    return options;
  }
  void Ask(TopicAdmin& admin, const std::function<void(rd_kafka_t*, rd_kafka_queue_t*)>& request) {
    const Queue queue(rd_kafka_queue_new(admin.client()->get()));
    request(admin.client()->get(), queue.get());
    const Event event(rd_kafka_queue_poll(queue.get(), 60'000));
    ASSERT_TRUE(event);
    ASSERT_EQ(rd_kafka_event_error(event.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void MakeTopic(TopicAdmin& admin, const std::string& topic, const char* name, const char* value) {
    std::array<char, 256> text{};
    rd_kafka_NewTopic_t* fresh =
        rd_kafka_NewTopic_new(topic.c_str(), kPartitions, 1, text.data(), text.size());
    rd_kafka_NewTopic_set_config(fresh, name, value);
    Ask(admin, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
      rd_kafka_CreateTopics(client, &fresh, 1, nullptr, queue);
    });
    rd_kafka_NewTopic_destroy(fresh);
  }
  // As retention does it.
  void RemoveBefore(KafkaBus& bus, std::int64_t offset) {
    const std::string topic = prefix_ + "a";
    const PartitionList list = MakePartitionList();
    const auto offsets = bus.admin().OffsetsOf(topic, kPartitions);
    for (int i = 0; i < kPartitions; ++i) {
      if (offsets[static_cast<std::size_t>(i)].high == 0) continue;
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), i)->offset = offset;
    }
    rd_kafka_DeleteRecords_t* records = rd_kafka_DeleteRecords_new(list.get());
    Ask(bus.admin(), [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
      rd_kafka_DeleteRecords(client, &records, 1, nullptr, queue);
    });
    rd_kafka_DeleteRecords_destroy(records);
  }
  static inline KafkaServer* server_ = nullptr;
  static inline int number_ = 0;
  std::string prefix_;
  Events events_;
};

TEST_F(BusKafka, AMessageThatTheTopicFindsTooLargeIsRefusedAloneAndTheRestKeepsItsOrder) {
  KafkaBus bus(Options(), &events_);
  MakeTopic(bus.admin(), prefix_ + "a", "max.message.bytes", "2000");
  Batch batch;
  const std::string large = "\"" + Incompressible(5000) + "\"";
  for (int i = 0; i < 20; ++i) batch.Add("a", std::to_string(i), "k", i == 10 ? large : "{}");
  batch.Add("b", "other", "k");
  batch.PublishOn(bus);
  std::vector<int> expected(21, SUMMA_BUS_CONFIRMED);
  expected[10] = SUMMA_BUS_REFUSED;
  for (std::size_t i = 11; i < 20; ++i) expected[i] = SUMMA_BUS_UNSENT;
  EXPECT_EQ(batch.Outcomes(), expected);
  EXPECT_THAT(batch.receipts[10].error, testing::HasSubstr("SH-0649"));
  std::vector<std::string> first;
  for (const std::string& id : IdsOf(bus, "a")) {
    if (std::find(first.begin(), first.end(), id) == first.end()) first.push_back(id);
  }
  std::vector<std::string> before;
  before.reserve(10);
  for (int i = 0; i < 10; ++i) before.push_back(std::to_string(i));
  EXPECT_EQ(first, before) << "nothing behind the refused message may be there";
}

TEST_F(BusKafka, WhatIsNoJsonOrTooLargeForTheBusIsRefusedBeforeItIsSent) {
  KafkaBusOptions options = Options();
  options.writer.max_message_bytes = 100;
  KafkaBus bus(std::move(options), &events_);
  Batch batch;
  batch.Add("a", "1", "k").Add("a", "2", "k", "{broken").Add("b", "3", "k", std::string(101, '1'));
  batch.Add("c", "4", "k");
  batch.PublishOn(bus);
  EXPECT_EQ(batch.Outcomes(), (std::vector<int>{SUMMA_BUS_CONFIRMED, SUMMA_BUS_REFUSED,
                                                SUMMA_BUS_REFUSED, SUMMA_BUS_CONFIRMED}));
  EXPECT_THAT(batch.receipts[1].error, testing::HasSubstr("SH-0650"));
  EXPECT_THAT(batch.receipts[2].error, testing::HasSubstr("SH-0649"));
}

TEST_F(BusKafka, ATopicWhoseNumberOfPartitionsGrowsAcceptsNothing) {
  KafkaBusOptions any = Options();
  any.topics.partitions = 0;
  any.client.options = {{"topic.metadata.refresh.interval.ms", "500"}};
  KafkaBus bus(any, &events_);
  MakeTopic(bus.admin(), prefix_ + "a", "cleanup.policy", "delete");
  Batch first;
  first.Add("a", "1", "k").PublishOn(bus);
  EXPECT_EQ(first.Outcomes(), std::vector<int>{SUMMA_BUS_CONFIRMED});
  std::array<char, 256> text{};
  rd_kafka_NewPartitions_t* more = rd_kafka_NewPartitions_new(
      (prefix_ + "a").c_str(), kPartitions + 3, text.data(), text.size());
  Ask(bus.admin(), [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_CreatePartitions(client, &more, 1, nullptr, queue);
  });
  rd_kafka_NewPartitions_destroy(more);
  std::string error;
  EXPECT_TRUE(BecomesTrue([&] {
    Batch next;
    next.Add("a", "2", "k").PublishOn(bus);
    error = next.receipts[0].error;
    return next.receipts[0].outcome == SUMMA_BUS_STREAM_FAULT;
  }));
  EXPECT_THAT(error, testing::HasSubstr("SH-0645"));
  KafkaBus configured(Options(), &events_);  // it says how many there must be
  Batch next;
  next.Add("a", "3", "k").PublishOn(configured);
  EXPECT_EQ(next.Outcomes(), std::vector<int>{SUMMA_BUS_STREAM_FAULT});
  EXPECT_THAT(next.receipts[0].error, testing::HasSubstr("SH-0645"));
}

TEST_F(BusKafka, MessagesThatWereRemovedBeforeTheyWereReadAreCounted) {
  KafkaBus bus(Options(), &events_);
  Batch batch;
  for (int i = 0; i < 50; ++i) batch.Add("a", std::to_string(i), "k");
  batch.PublishOn(bus);
  {
    const auto reader = bus.Subscribe("a", "g", "c", 0);
    const auto deliveries = reader->Poll(10, std::chrono::seconds(30));
    ASSERT_EQ(deliveries.size(), 10U);
    reader->Settle(deliveries[4].delivery_id);
  }
  RemoveBefore(bus, 30);
  const auto reader = bus.Subscribe("a", "g", "c", 0);
  const auto deliveries = reader->Poll(50, std::chrono::seconds(30));
  ASSERT_FALSE(deliveries.empty());
  EXPECT_EQ(FromAbi(deliveries[0].message.id), "30");
  EXPECT_EQ(events_.lost, 25U);
}

TEST_F(BusKafka, MessagesThatAreRemovedBeforeALiveReaderAreCountedAndWhatItHasIsDelivered) {
  constexpr int kMessages = 400;
  KafkaBusOptions options = Options();
  options.max_prefetch_bytes = 64 << 10;
  KafkaBus bus(options, &events_);
  Batch batch;
  const std::string payload = "\"" + Incompressible(20'000) + "\"";
  for (int i = 0; i < kMessages; ++i) batch.Add("a", std::to_string(i), "k", payload);
  batch.PublishOn(bus);
  const auto reader = bus.Subscribe("a", "g", "c", 0);
  std::vector<int> read;
  const auto read_on = [&] {
    reader->Revoked();
    try {
      for (const auto& delivery : reader->Poll(1, milliseconds(100))) {
        read.push_back(std::stoi(std::string(FromAbi(delivery.message.id))));
        reader->Settle(delivery.delivery_id);
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "SH-0653");  // no place yet
    }
  };
  ASSERT_TRUE(BecomesTrue([&] {
    read_on();
    return read.size() == 10;
  }));
  RemoveBefore(bus, kMessages - 10);
  EXPECT_TRUE(BecomesTrue([&] {
    read_on();
    return !read.empty() && read.back() == kMessages - 1;
  }));
  EXPECT_EQ(read.size() + events_.lost, static_cast<std::size_t>(kMessages));
  EXPECT_TRUE(std::is_sorted(read.begin(), read.end()));
  EXPECT_GT(events_.lost, 0U);
}

TEST_F(BusKafka, AGroupWhosePlaceIsBehindTheEndIsGivenEverythingAgainAndThatIsSaid) {
  KafkaBus bus(Options(), &events_);
  Batch batch;
  for (int i = 0; i < 20; ++i) batch.Add("a", std::to_string(i), "k");
  batch.PublishOn(bus);
  const std::string topic = prefix_ + "a";
  {
    const auto reader = bus.Subscribe("a", "g", "c", 0);
    const auto deliveries = reader->Poll(20, std::chrono::seconds(30));
    ASSERT_EQ(deliveries.size(), 20U);
    reader->Settle(deliveries.back().delivery_id);
  }
  const auto offsets = bus.admin().OffsetsOf(topic, kPartitions);
  std::vector<std::int64_t> places;
  std::string expected;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const std::int64_t high = offsets[i].high;
    places.push_back(high == 0 ? 0 : high + 5);
    if (high > 0) expected = std::to_string(i) + ":" + std::to_string(high + 5) + " 20 0";
  }
  const std::vector<std::string> groups = bus.admin().AllGroups();
  const auto group = std::find_if(groups.begin(), groups.end(), [&](const std::string& name) {
    return name.find(topic) != std::string::npos;
  });
  ASSERT_NE(group, groups.end());
  bus.admin().SetPlaces(*group, topic, places);
  const auto reader = bus.Subscribe("a", "g", "c", 0);
  std::vector<std::string> read;
  EXPECT_TRUE(BecomesTrue([&] {
    reader->Revoked();
    try {
      for (const auto& delivery : reader->Poll(20, milliseconds(100))) {
        read.emplace_back(FromAbi(delivery.message.id));
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "SH-0653");  // no place yet
    }
    return read.size() == 20;
  }));
  EXPECT_EQ(read.front(), "0");
  // What takes the offsets that were lost, as far as beyond the place, is delivered.
  Batch later;
  for (int i = 20; i < 30; ++i) later.Add("a", std::to_string(i), "k");
  later.PublishOn(bus);
  EXPECT_TRUE(BecomesTrue([&] {
    for (const auto& delivery : reader->Poll(20, milliseconds(100))) {
      read.emplace_back(FromAbi(delivery.message.id));
    }
    return read.size() == 30;
  }));
  EXPECT_EQ(read.back(), "29");
  const MutexLock lock(events_.mutex);
  EXPECT_EQ(events_.behind_end, std::vector<std::string>{expected}) << "told once";
  EXPECT_EQ(events_.lost, 0U);
}

TEST_F(BusKafka, ANewReaderWithTheNameOfAStaticMemberTakesItsPlace) {
  KafkaBusOptions options = Options();
  options.static_members = true;
  KafkaBus bus(options, &events_);
  Batch batch;
  for (int i = 0; i < 10; ++i) batch.Add("a", std::to_string(i), "k" + std::to_string(i));
  batch.PublishOn(bus);
  const auto first = bus.Subscribe("a", "g", "c", 0);
  ASSERT_FALSE(first->Poll(10, std::chrono::seconds(30)).empty());
  const auto second = bus.Subscribe("a", "g", "c", 0);
  std::size_t taken = 0;
  EXPECT_TRUE(BecomesTrue([&] {
    taken += second->Poll(10, milliseconds(100)).size();
    return taken >= 10;
  }));
  EXPECT_TRUE(BecomesTrue([&] {
    return CodeOf([&] {
             first->Revoked();
             first->Poll(10, milliseconds(100));
           }) == "SH-0652";
  }));
}

TEST_F(BusKafka, WhatBreaksAPromiseOrCannotBeReachedIsSaid) {
  for (const char* name : {"acks", "enable.idempotence", "partitioner", "auto.offset.reset",
                           "enable.auto.commit", "no.such.setting"}) {
    KafkaBusOptions options = Options();
    options.client.options = {{name, "1"}};
    EXPECT_EQ(CodeOf([&] { KafkaBus bus(options, &events_); }), "SH-0646") << name;
  }
  KafkaBusOptions nowhere = Options();
  nowhere.client.brokers = "127.0.0.1:1";
  nowhere.client.request_timeout = nowhere.writer.publish_timeout = milliseconds(1000);
  KafkaBus away(nowhere, &events_);
  EXPECT_EQ(CodeOf([&] { away.Ping(); }), "SH-0640");
  Batch batch;
  EXPECT_EQ(CodeOf([&] { batch.Add("a", "1", "k").PublishOn(away); }), "SH-0640");
  EXPECT_EQ(batch.Outcomes(), std::vector<int>{SUMMA_BUS_UNSENT});
  KafkaBusOptions no_topics = Options();
  no_topics.topics.create = false;
  KafkaBus bus(no_topics, &events_);
  Batch unknown;
  unknown.Add("a", "1", "k").PublishOn(bus);
  EXPECT_EQ(unknown.Outcomes(), std::vector<int>{SUMMA_BUS_STREAM_FAULT});
  EXPECT_THAT(unknown.receipts[0].error, testing::HasSubstr("SH-0644"));
  EXPECT_EQ(CodeOf([&] { bus.Subscribe("a", "g", "c", 0); }), "SH-0644");
}

TEST_F(BusKafka, ABrokerThatIsKilledAndComesBackLosesNothingAndKeepsTheOrderOfEachKey) {
  KafkaBusOptions options = Options();
  options.writer.publish_timeout = options.client.request_timeout = milliseconds(2000);
  KafkaBus bus(options, &events_);
  Publisher publisher(bus);
  ASSERT_TRUE(BecomesTrue([&] { return publisher.confirmed() > 500; }));
  server_->KillNine();
  std::this_thread::yield();
  server_->Start();
  server_->Await();
  const int after = publisher.confirmed();
  EXPECT_TRUE(BecomesTrue([&] { return publisher.confirmed() > after + 500; }));
  publisher.End();
  ExpectWholeAndInOrder(IdsOf(bus, "a"), publisher.confirmed());
}

TEST_F(BusKafka, ReadersThatComeAndGoAllTheTimeHandleEverythingAndSkipNothing) {
  KafkaBus bus(Options(), &events_);
  Batch batch;
  constexpr int kMessages = 2000;
  for (int i = 0; i < kMessages; ++i) {
    batch.Add("a", std::to_string(i), "key" + std::to_string(i % 50));
  }
  batch.PublishOn(bus);
  std::mutex mutex;
  std::set<std::string> handled;
  std::atomic<bool> done{false};
  // Each reads a little, settles it, and goes.
  const auto come_and_go = [&](const std::string& name) {
    while (!done) {
      const auto reader = bus.Subscribe("a", "g", name, 0);
      for (int polls = 0; polls < 5 && !done; ++polls) {
        reader->Revoked();
        const auto deliveries = reader->Poll(20, milliseconds(100));
        for (const auto& delivery : deliveries) {
          const std::lock_guard lock(mutex);
          handled.insert(std::string(FromAbi(delivery.message.id)));
        }
        for (const auto& delivery : deliveries) reader->Settle(delivery.delivery_id);
      }
      const std::lock_guard lock(mutex);
      done = done || handled.size() == kMessages;
    }
  };
  std::vector<std::thread> readers;
  for (const char* name : {"c1", "c2", "c3"}) readers.emplace_back(come_and_go, name);
  EXPECT_TRUE(BecomesTrue([&] { return done.load(); }));
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(handled.size(), static_cast<std::size_t>(kMessages));
  EXPECT_GT(events_.rebalances, 3U);
}

// Of this process; 0 where a sanitizer keeps the books.
std::size_t AllocatedBytes() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

TEST_F(BusKafka, AReaderThatNobodyPollsHoldsABoundedNumberOfBytesAndThenGivesEverything) {
  constexpr int kMessages = 4000;
  constexpr std::size_t kPayload = 10'000, kPrefetch = 1 << 20;
  // One answer with a megabyte of each partition comes on top of what may wait, decompressed.
  constexpr std::int64_t kMostFetched = kPrefetch + 2 * kPartitions * (std::int64_t{1} << 20);
  KafkaBusOptions options = Options();
  options.max_prefetch_bytes = kPrefetch;
  options.client.options = {{"statistics.interval.ms", "100"}};
  KafkaBus bus(options, &events_);
  const std::string payload = "\"" + Incompressible(kPayload) + "\"";
  for (int from = 0; from < kMessages; from += 500) {
    Batch batch;
    for (int i = from; i < from + 500; ++i) {
      batch.Add("a", "k" + std::to_string(i % 8) + "-" + std::to_string(i / 8),
                "k" + std::to_string(i % 8), payload);
    }
    batch.PublishOn(bus);
    ASSERT_EQ(batch.Outcomes(), std::vector<int>(500, SUMMA_BUS_CONFIRMED));
  }
  const std::size_t before = AllocatedBytes();
  const auto reader = bus.Subscribe("a", "g", "c", 0);
  ASSERT_TRUE(BecomesTrue([&] { return events_.most_fetched > 0; }));
  // So long that everything would be here by now.
  const int counted = events_.counted;
  ASSERT_TRUE(BecomesTrue([&] { return events_.counted > counted + 30; }));
  EXPECT_LE(events_.most_fetched, kMostFetched);
  const std::size_t after = AllocatedBytes();
  EXPECT_LE(after, before + 2 * kMostFetched);
  std::vector<std::string> ids;
  EXPECT_TRUE(BecomesTrue([&] {
    for (const auto& delivery : reader->Poll(500, milliseconds(100))) {
      ids.emplace_back(FromAbi(delivery.message.id));
    }
    return ids.size() >= kMessages;
  }));
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(kMessages)) << "nothing comes twice";
  ExpectWholeAndInOrder(ids, kMessages);
}

TEST_F(BusKafka, WhatWaitsForAServerThatDoesNotAnswerIsBoundedAndSentLater) {
  constexpr std::size_t kBuffer = 1 << 20;
  KafkaBusOptions options = Options();
  options.writer.max_buffer_bytes = kBuffer;
  options.writer.publish_timeout = milliseconds(3000);
  options.client.options = {{"statistics.interval.ms", "100"}};
  KafkaBus bus(options, &events_);
  Batch first;
  first.Add("a", "first", "k").PublishOn(bus);
  ASSERT_EQ(first.Outcomes(), std::vector<int>{SUMMA_BUS_CONFIRMED});
  server_->Signal(0, SIGSTOP);
  const std::string payload = "\"" + Incompressible(10'000) + "\"";
  Batch batch;
  for (int i = 0; i < 1000; ++i) batch.Add("a", std::to_string(i), "k", payload);
  CodeOf([&] { batch.PublishOn(bus); });
  server_->Signal(0, SIGCONT);
  EXPECT_NE(batch.receipts[999].outcome, SUMMA_BUS_CONFIRMED);
  EXPECT_GT(events_.most_to_confirm, 0);
  EXPECT_LE(events_.most_to_confirm, static_cast<std::int64_t>(kBuffer + payload.size() + 1000));
  EXPECT_TRUE(BecomesTrue([&] {
    CodeOf([&] { batch.PublishOn(bus); });
    return batch.Outcomes() == std::vector<int>(1000, SUMMA_BUS_CONFIRMED);
  }));
}

}  // namespace
}  // namespace summa::bus_kafka
