// The login of Redis changes while the bus is in use: every connection that is made from then on
// has the new one, whatever it is for.
#include <functional>
#include <thread>

#include "tests/integration/bus_redis_support.hpp"
#include "tests/services/redis_cluster.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::AnyOf;

constexpr const char* kBefore = "word-of-before";
constexpr const char* kAfter = "word-of-after";

using Command = std::function<void(const std::vector<std::string>&)>;

// A bus with everything that has a connection of its own, on one kind of server.
class BusRedisLogin : public BusRedis {
 protected:
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }

  void Use(const std::string& url, Command everywhere) {
    everywhere_ = std::move(everywhere);
    everywhere_({"ACL", "SETUSER", "rotating", "on", ">" + std::string(kBefore), "~*", "+@all"});
    RedisBusOptions options;
    options.url = ParseRedisUrl(url);
    options.url.user = "rotating";
    options.url.password = kBefore;
    options.sentinel_login = {"", sentinel_password_};
    options.writer.key_prefix = "summa";
    options.writer.tagged_keys = options.url.kind == ServerKind::kCluster;
    bus_ = MakeBus(std::move(options));
    Publish(100);
    reader_ = bus_->Subscribe("a", "g", "c", 0);
    admin_ = std::make_unique<StreamAdmin>(bus_->MakeAdmin());
    UseAll();
  }
  // As an outbox does: what is not confirmed is sent again.
  void Publish(std::size_t count) {
    Batch batch;
    for (std::size_t i = 0; i < count; ++i) batch.Add("a", std::to_string(published_++));
    EXPECT_TRUE(test::BecomesTrue([&] {
      batch.Publish(*bus_);
      batch.KeepUnconfirmed();
      return batch.messages.empty();
    }));
  }
  // Consumes what was published, and asks and trims with connections that are there and new ones.
  void UseAll() { UseAll(published_); }
  // held: messages in the stream. Those whose connection was cut may be there twice.
  void UseAll(std::size_t held) {
    while (consumed_.size() < published_) {
      Again([&] {
        for (const auto& delivery : reader_->Poll(50, std::chrono::seconds(1))) {
          consumed_.insert(std::stoul(std::string(FromAbi(delivery.message.id))));
          reader_->Ack({&delivery.delivery_id, 1});
        }
      });
    }
    Again([&] { bus_->Ping(); });
    Again([&] { admin_->Trim("a", std::chrono::hours(1), false); });
    Again([&] { EXPECT_EQ(admin_->Groups("a").size(), 1U); });
    EXPECT_EQ(bus_->MakeAdmin().Length("a"), static_cast<std::int64_t>(held));
    std::size_t letters = 0;
    bus_->DeadLetters("", "", [&](const summa_bus_dead_letter&) {
      ++letters;
      return true;
    });
    EXPECT_EQ(letters, 0U);
    EXPECT_EQ(bus_->MakeReader().Horizon("a").held, held);
  }
  // A connection that was cut is an error once; the next use makes a new one.
  static void Again(const std::function<void()>& use) {
    std::string failure;
    EXPECT_TRUE(test::BecomesTrue([&] {
      try {
        use();
        return true;
      } catch (const Error& error) {
        failure = error.what();
        return false;
      }
    })) << failure;
  }
  void RotateInRedis() {
    everywhere_({"ACL", "SETUSER", "rotating", "resetpass", ">" + std::string(kAfter)});
  }
  void CutAll() { everywhere_({"CLIENT", "KILL", "USER", "rotating"}); }

  std::string sentinel_password_;
  Command everywhere_;
  std::unique_ptr<RedisBus> bus_;
  std::unique_ptr<Subscription> reader_;
  std::unique_ptr<StreamAdmin> admin_;
  std::size_t published_ = 0;
  std::set<std::size_t> consumed_;
};

TEST_F(BusRedisLogin, IsRenewedForEveryConnectionToOneServer) {
  const test::RedisServer server;
  test::RedisClient client(server.Url());
  Use(server.Url(), [&](const auto& words) { client.Command(words); });
  RotateInRedis();
  // New connections are refused now; those that are there go on.
  EXPECT_EQ(ErrorOf([&] { bus_->MakeAdmin().Length("a"); }).code(), "SH-0602");
  Publish(100);
  bus_->RenewLogin({"rotating", kAfter}, {});
  CutAll();
  Publish(100);
  UseAll();
}

TEST_F(BusRedisLogin, IsRenewedAtEveryNodeOfACluster) {
  test::RedisCluster cluster({.masters = 3, .replicas = 0, .extra_arguments = {}});
  Use(cluster.Url(), [&](const auto& words) { cluster.OnMasters(words); });
  RotateInRedis();
  bus_->RenewLogin({"rotating", kAfter}, {});
  CutAll();
  Publish(100);
  UseAll();
  // The other nodes as well, and the map of the cluster.
  for (const char* stream : {"b", "c", "d", "e", "f", "g"}) {
    Batch batch;
    batch.Add(stream, "0");
    EXPECT_FALSE(batch.Publish(*bus_)) << stream;
  }
  EXPECT_EQ(bus_->MakeAdmin().Streams().names.size(), 7U);
}

TEST_F(BusRedisLogin, IsRenewedAtTheSentinelsAndTheirMaster) {
  sentinel_password_ = "sentinels-before";
  test::RedisSentinels redis({.replicas = 0,
                              .sentinels = 1,
                              .sentinel_password = sentinel_password_,
                              .server_arguments = {}});
  test::RedisClient master(redis.Server(0).Url());
  Use(redis.Url(), [&](const auto& words) { master.Command(words); });
  const std::string first = redis.Url().substr(std::string("redis+sentinel://").size());
  test::RedisClient sentinel("redis://" + first.substr(0, first.find('/')), sentinel_password_);
  sentinel.Command({"ACL", "SETUSER", "default", "resetpass", ">sentinels-after"});
  RotateInRedis();
  EXPECT_EQ(ErrorOf([&] { bus_->MakeAdmin().Length("a"); }).code(), "SH-0626");
  bus_->RenewLogin({"rotating", kAfter}, {"", "sentinels-after"});
  CutAll();
  Publish(100);
  UseAll();
}

TEST_F(BusRedisLogin, IsRenewedUnderTrafficAndEachMessageArrivesOnceAndInOrder) {
  const test::RedisServer server;
  test::RedisClient client(server.Url());
  Use(server.Url(), [&](const auto& words) { client.Command(words); });
  constexpr std::size_t kBatch = 50;
  std::thread producer([&] {
    for (int i = 0; i < 40; ++i) Publish(kBatch);
  });
  // Redis takes both words for a while, as an operator rotates without an interruption.
  everywhere_({"ACL", "SETUSER", "rotating", ">" + std::string(kAfter)});
  bus_->RenewLogin({"rotating", kAfter}, {});
  everywhere_({"ACL", "SETUSER", "rotating", "<" + std::string(kBefore)});
  CutAll();
  producer.join();
  const auto messages = client.StreamMessages("summa:stream:a");
  // The connection was cut once: the answer to one batch was lost, or to none.
  EXPECT_THAT(messages.size(), AnyOf(published_, published_ + kBatch));
  UseAll(messages.size());
  EXPECT_EQ(consumed_.size(), published_);
  std::vector<std::size_t> first;
  std::set<std::size_t> seen;
  for (const auto& message : messages) {
    const std::size_t number = std::stoul(message.fields.at("id"));
    if (seen.insert(number).second) first.push_back(number);
  }
  EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
  EXPECT_EQ(first.size(), published_);
}

}  // namespace
}  // namespace summa::bus_redis
