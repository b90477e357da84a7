// A real Redis Cluster: what was published stays in order wherever its slot goes, one master that
// is away stops its own streams only, and nothing is claimed that is not so.
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "plugins/bus-redis/examine.hpp"
#include "tests/integration/bus_redis_load.hpp"
#include "tests/services/redis_cluster.hpp"

namespace summa::bus_redis {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr int kConfirmed = SUMMA_BUS_CONFIRMED;
constexpr int kUnsent = SUMMA_BUS_UNSENT;
constexpr int kStreamFault = SUMMA_BUS_STREAM_FAULT;

// Ids at their first occurrence, and in which order.
std::vector<std::string> IdsOf(const test::RedisReply& entries) {
  std::vector<std::string> ids;
  std::set<std::string> seen;
  for (const test::RedisReply& entry : entries.items) {
    const auto& fields = entry.items.at(1).items;
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
      if (fields[i].text == "id" && seen.insert(fields[i + 1].text).second) {
        ids.push_back(fields[i + 1].text);
      }
    }
  }
  return ids;
}

class RedisBusCluster : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    cluster().OnMasters({"FLUSHALL"});
  }
  // Made once: a cluster takes seconds until it serves. One master that is away stops the others'
  // slots unless told not to.
  static test::RedisCluster& cluster() {
    static test::RedisCluster cluster([] {
      test::RedisClusterOptions options;
      options.extra_arguments = {"--cluster-require-full-coverage", "no"};
      return options;
    }());
    return cluster;
  }
  static RedisBusOptions Options(const std::string& url = cluster().Url()) {
    RedisBusOptions options;
    options.url = ParseRedisUrl(url);
    options.client_name = "test";
    options.writer.key_prefix = "summa";
    options.writer.tagged_keys = true;
    options.connect_timeout = std::chrono::seconds(10);
    return options;
  }
  std::unique_ptr<RedisBus> MakeBus(const RedisBusOptions& options = Options()) {
    return std::make_unique<RedisBus>(options, &events_);
  }
  static std::string Key(const std::string& topic) { return "summa:stream:{" + topic + "}"; }
  static std::vector<std::string> Ids(const std::string& topic) {
    return IdsOf(cluster().Command({"XRANGE", Key(topic), "-", "+"}));
  }
  // A topic whose stream that master has.
  static std::string TopicAt(std::size_t node) {
    for (int i = 0;; ++i) {
      const std::string topic = "topic-" + std::to_string(i);
      if (cluster().MasterOf(Key(topic)) == node) return topic;
    }
  }

  BusEvents events_;
};

// Reads and acknowledges, and keeps the ids in the order in which they came first.
class Reading {
 public:
  Reading(Bus& bus, const std::string& topic) {
    thread_ = std::thread([this, &bus, topic] { Run(bus, topic); });
  }
  ~Reading() { Stop(); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::vector<std::string> ids() {
    const std::lock_guard lock(mutex_);
    return ids_;
  }

 private:
  void Run(Bus& bus, const std::string& topic) {
    std::unique_ptr<Subscription> subscription;
    while (!stop_) {
      try {
        if (!subscription) subscription = bus.Subscribe(topic, "g", "c", SUMMA_BUS_EXCLUSIVE);
        for (const auto& delivery : subscription->Poll(1000, milliseconds(50))) {
          {
            const std::lock_guard lock(mutex_);
            const std::string id(FromAbi(delivery.message.id));
            if (seen_.insert(id).second) ids_.push_back(id);
          }
          subscription->Ack({&delivery.delivery_id, 1});
        }
      } catch (const Error& error) {
        ASSERT_EQ(error.status(), SUMMA_E_UNAVAILABLE) << error.what();
        std::this_thread::sleep_for(milliseconds(5));
      }
    }
  }

  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<std::string> ids_;
  std::set<std::string> seen_;
  std::thread thread_;
};

TEST_F(RedisBusCluster, ABatchOfManyStreamsGoesToItsMastersInOrder) {
  constexpr std::size_t kPerStream = 150;
  constexpr std::size_t kStreams = 30;
  const auto bus = MakeBus();
  Batch batch;
  for (std::size_t i = 0; i < kPerStream; ++i) {
    for (std::size_t j = 0; j < kStreams; ++j) {
      batch.Add("s" + std::to_string(j), std::to_string(i));
    }
  }
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_THAT(batch.Outcomes(), Each(kConfirmed));
  std::set<std::size_t> masters;
  for (std::size_t j = 0; j < kStreams; ++j) {
    const std::string topic = "s" + std::to_string(j);
    EXPECT_EQ(Ids(topic), Numbers(kPerStream)) << topic;
    masters.insert(cluster().MasterOf(Key(topic)));
  }
  EXPECT_EQ(masters.size(), 3U);
  EXPECT_EQ(bus->MakeAdmin().Streams().names.size(), kStreams) << "a listing must see every master";
}

TEST_F(RedisBusCluster, OneHostOfTheUrlIsEnoughAlsoWhenAnotherIsDead) {
  const std::string live = "127.0.0.1:" + std::to_string(cluster().Node(1).Port());
  for (const std::string& url : {"redis+cluster://" + live, "redis://127.0.0.1:1," + live,
                                 "redis://" + live + ",nowhere.invalid:1"}) {
    const auto bus = MakeBus(Options(url));
    Batch batch;
    for (std::size_t node = 0; node < 3; ++node) batch.Add(TopicAt(node), url);
    EXPECT_FALSE(batch.Publish(*bus)) << url;
    EXPECT_THAT(batch.Outcomes(), Each(kConfirmed));
    bus->Ping();
  }
}

TEST_F(RedisBusCluster, ASlotThatMovesUnderLoadLosesAndTurnsRoundNothing) {
  const auto bus = MakeBus();
  const std::string moving = TopicAt(0), staying = TopicAt(1);
  Reading reading(*bus, moving);
  std::size_t numbers = 0;
  {
    Load load(*bus, {moving, staying});
    for (const std::size_t to : {1, 2, 0, 2, 1}) {
      const std::size_t before = load.confirmed();
      cluster().BeginMove(Key(moving), to);
      ASSERT_TRUE(test::BecomesTrue([&] { return load.confirmed() > before + 100; }));
      cluster().MoveKeys(Key(moving), to);  // from here on ASK
      ASSERT_TRUE(test::BecomesTrue([&] { return load.confirmed() > before + 300; }));
      cluster().EndMove(Key(moving), to);  // from here on MOVED
      ASSERT_TRUE(test::BecomesTrue([&] { return load.confirmed() > before + 500; }));
    }
    numbers = load.Stop();
    EXPECT_EQ(load.failures(), 0U) << load.last_failure();
  }
  EXPECT_EQ(Ids(moving), Numbers(numbers));
  EXPECT_EQ(Ids(staying), Numbers(numbers));
  EXPECT_TRUE(test::BecomesTrue([&] { return reading.ids().size() == numbers; }));
  reading.Stop();
  EXPECT_EQ(reading.ids(), Numbers(numbers));
  cluster().Move(Key(moving), 0);
}

TEST_F(RedisBusCluster, ANewStreamInASlotThatIsMovedIsMadeWhereItBelongs) {
  const auto bus = MakeBus();
  const std::string topic = TopicAt(0);
  cluster().BeginMove(Key(topic), 1);
  Batch batch;
  for (const std::string& id : Numbers(5)) batch.Add(topic, id);
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_THAT(batch.Outcomes(), Each(kConfirmed));
  cluster().EndMove(Key(topic), 1);
  EXPECT_FALSE(batch.Publish(*bus));
  EXPECT_EQ(cluster().Command({"XLEN", Key(topic)}).integer, 10);
  cluster().Move(Key(topic), 0);
}

TEST_F(RedisBusCluster, AMessageIsGivenUpInOneStepAlsoWhileItsSlotIsMoved) {
  RedisBusOptions options = Options();
  options.command_timeout = std::chrono::seconds(3);
  const auto bus = MakeBus(options);
  const std::string topic = TopicAt(0);
  const std::string letters = "summa:dlq:{" + topic + "}";
  Batch batch;
  for (const std::string& id : Numbers(3)) batch.Add(topic, id);
  ASSERT_FALSE(batch.Publish(*bus));
  const auto subscription = bus->Subscribe(topic, "g", "c", SUMMA_BUS_EXCLUSIVE);
  std::vector<std::string> ids;
  for (const auto& delivery : subscription->Poll(10, milliseconds(100))) {
    ids.emplace_back(FromAbi(delivery.delivery_id));
  }
  ASSERT_EQ(ids.size(), 3U);
  subscription->DeadLetter(ToAbi(ids[0]), "no good");
  EXPECT_EQ(cluster().Command({"XLEN", letters}).integer, 1);

  // The letters are gone from here, and the stream is not: the keys are on two sides.
  cluster().Command({"DEL", letters});
  cluster().BeginMove(Key(topic), 1);
  const Error moving = ErrorOf([&] { subscription->DeadLetter(ToAbi(ids[1]), "no good"); });
  EXPECT_EQ(moving.status(), SUMMA_E_UNAVAILABLE);
  EXPECT_EQ(moving.code(), "SH-0624");
  cluster().MoveKeys(Key(topic), 1);
  cluster().EndMove(Key(topic), 1);
  EXPECT_TRUE(test::BecomesTrue([&] {
    try {
      subscription->DeadLetter(ToAbi(ids[1]), "no good");
      return true;
    } catch (const Error&) {
      return false;
    }
  }));
  EXPECT_EQ(cluster().Command({"XLEN", letters}).integer, 1);
  EXPECT_EQ(cluster().Command({"XPENDING", Key(topic), "g"}).items.at(0).integer, 1);
  cluster().Move(Key(topic), 0);
}

TEST_F(RedisBusCluster, AMasterThatIsAwayStopsItsOwnStreamsOnly) {
  const auto bus = MakeBus();
  const std::string dead = TopicAt(2), live = TopicAt(0);
  bus->Ping();
  cluster().Node(2).KillNine();
  Batch batch;
  for (const std::string& id : Numbers(3)) batch.Add(dead, id);
  for (const std::string& id : Numbers(3)) batch.Add(live, id);
  EXPECT_FALSE(batch.Publish(*bus)) << "the bus is not away";
  EXPECT_THAT(batch.Outcomes(), ::testing::ElementsAre(kStreamFault, kUnsent, kUnsent, kConfirmed,
                                                       kConfirmed, kConfirmed));
  EXPECT_THAT(batch.receipts[0].error, HasSubstr("Redis"));
  EXPECT_EQ(ErrorOf([&] { bus->Ping(); }).status(), SUMMA_E_UNAVAILABLE);

  // Alone in its batch, too: other streams need not wait for it.
  Batch alone;
  alone.Add(dead, "0");
  EXPECT_FALSE(alone.Publish(*bus));
  EXPECT_THAT(alone.Outcomes(), Each(kStreamFault));

  cluster().Node(2).Start();
  cluster().WaitUntilWhole();
  batch.KeepUnconfirmed();
  EXPECT_TRUE(test::BecomesTrue([&] {
    batch.Publish(*bus);
    batch.KeepUnconfirmed();
    return batch.messages.empty();
  }));
  EXPECT_EQ(Ids(dead), Numbers(3));
  bus->Ping();
}

TEST_F(RedisBusCluster, AClusterThatIsAwayIsAnOutageOfTheBus) {
  RedisBusOptions options = Options("redis://127.0.0.1:1,127.0.0.1:2");
  const auto bus = MakeBus(options);
  Batch batch;
  batch.Add("a", "0");
  const auto failure = batch.Publish(*bus);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->status(), SUMMA_E_UNAVAILABLE);
  EXPECT_EQ(failure->code(), "SH-0623");
  EXPECT_THAT(batch.Outcomes(), Each(kUnsent));
}

TEST_F(RedisBusCluster, AnotherKindOfServerThanTheUrlSaysIsRefusedByName) {
  const std::string port = std::to_string(cluster().Node(0).Port());
  const Error cluster_node =
      ErrorOf([&] { MakeBus(Options("redis://127.0.0.1:" + port))->Ping(); });
  EXPECT_EQ(cluster_node.code(), "SH-0621");
  EXPECT_THAT(cluster_node.what(), HasSubstr("node of a Redis Cluster"));
  EXPECT_THAT(cluster_node.hint(), HasSubstr("redis+cluster://"));

  test::RedisServer single(
      {.append_only = false, .tcp = true, .max_memory = {}, .extra_arguments = {}});
  const std::string other = std::to_string(single.Port());
  const Error no_cluster =
      ErrorOf([&] { MakeBus(Options("redis+cluster://127.0.0.1:" + other))->Ping(); });
  EXPECT_THAT(no_cluster.what(), HasSubstr("not a node of a Redis Cluster"));
  const Error no_sentinel =
      ErrorOf([&] { MakeBus(Options("redis+sentinel://127.0.0.1:" + other + "/m"))->Ping(); });
  EXPECT_THAT(no_sentinel.what(), HasSubstr("not a Sentinel"));
}

TEST_F(RedisBusCluster, NamesThatAClusterCannotKeepTogetherAreRefusedAtOnce) {
  RedisBusOptions options = Options();
  options.writer.tagged_keys = false;
  const Error plain = ErrorOf([&] { MakeBus(options); });
  EXPECT_EQ(plain.status(), SUMMA_E_CONFIG);
  EXPECT_EQ(plain.code(), "SH-0625");
  options.writer.key_prefix = "{summa}";  // everything in one slot
  MakeBus(options)->Ping();
  options.writer.key_prefix = "summa{}";
  options.writer.tagged_keys = true;
  EXPECT_EQ(ErrorOf([&] { MakeBus(options); }).code(), "SH-0625");
}

TEST_F(RedisBusCluster, ALoginIsUsedAtEveryNodeAndDoctorLooksAtEach) {
  cluster().OnMasters({"ACL", "SETUSER", "summa", "on", ">pw", "~summa:*", "+@all", "-xack"});
  std::string url = cluster().Url();
  url.insert(url.find("//") + 2, "summa:pw@");
  const auto bus = MakeBus(Options(url));
  Batch batch;
  for (std::size_t node = 0; node < 3; ++node) batch.Add(TopicAt(node), "0");
  EXPECT_FALSE(batch.Publish(*bus));
  std::vector<std::string> rights, subjects;
  Servers servers = bus->MakeServers("doctor");
  ExamineServers(servers, bus->names(), 0, [&](const Finding& finding) {
    subjects.push_back(finding.subject);
    if (finding.subject.starts_with("rights of ")) rights.push_back(finding.found);
  });
  EXPECT_THAT(subjects, Contains("cluster"));
  ASSERT_EQ(rights.size(), 3U);
  EXPECT_THAT(rights, Each(HasSubstr("+xack")));
}

}  // namespace
}  // namespace summa::bus_redis
