// Failovers under load, of a master of a cluster and of one behind Sentinels: the bus finds the new
// master by itself, and with wait_replicas nothing that was confirmed is lost.
#include <csignal>
#include <numeric>
#include <thread>

#include "plugins/bus-redis/examine.hpp"
#include "tests/integration/bus_redis_certificates.hpp"
#include "tests/integration/bus_redis_load.hpp"
#include "tests/services/redis_cluster.hpp"

namespace summa::bus_redis {
namespace {

using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::HasSubstr;

// From the death of a master until its replica takes messages, on a machine that is busy.
constexpr std::chrono::seconds kFailover{120};
constexpr std::size_t kUnderWay = 500;  // confirmed before something happens

RedisBusOptions Options(const std::string& url) {
  RedisBusOptions options;
  options.url = ParseRedisUrl(url);
  options.client_name = "test";
  options.writer.key_prefix = "summa";
  options.writer.tagged_keys = options.url.kind == ServerKind::kCluster;
  options.writer.wait_replicas = 1;
  options.connect_timeout = milliseconds(500);
  options.command_timeout = milliseconds(1000);
  return options;
}

// Where every answer counts and no server is to be given up.
RedisBusOptions Patient(const std::string& url) {
  RedisBusOptions options = Options(url);
  options.connect_timeout = options.command_timeout = std::chrono::seconds(10);
  return options;
}

// Whichever of the two replicas takes over has everything that was confirmed.
RedisBusOptions ForTwoReplicas(const std::string& url, const Certificates& certificates) {
  RedisBusOptions options = Options(url);
  options.writer.wait_replicas = 2;
  options.tls.ca_file = certificates.File("ca.crt");
  return options;
}

std::size_t NumberOf(const summa_bus_delivery& delivery) {
  return std::stoul(std::string(FromAbi(delivery.message.id)));
}

// Until the bus is not away: the limits of Options are short for a busy machine.
template <typename Action>
void UntilItAnswers(Action&& action) {
  EXPECT_TRUE(test::BecomesTrue(
      [&] {
        try {
          action();
          return true;
        } catch (const Error& error) {
          EXPECT_EQ(error.status(), SUMMA_E_UNAVAILABLE) << error.what();
          return false;
        }
      },
      kFailover));
}

// What the stream holds, each id at its first occurrence.
std::vector<std::size_t> ReadAll(Bus& bus) {
  std::vector<std::size_t> numbers;
  ScanOptions scan;
  scan.stream = "a";
  UntilItAnswers([&] {
    numbers.clear();
    std::set<std::size_t> seen;
    bus.Scan(scan, [&](const summa_bus_delivery& delivery) {
      if (seen.insert(NumberOf(delivery)).second) numbers.push_back(NumberOf(delivery));
      return true;
    });
  });
  return numbers;
}

// Everything that was confirmed, in order.
void ExpectWhole(Bus& bus, std::size_t end) {
  std::vector<std::size_t> wanted(end);
  std::iota(wanted.begin(), wanted.end(), std::size_t{0});
  const std::vector<std::size_t> numbers = ReadAll(bus);
  const auto differs = std::mismatch(numbers.begin(), numbers.end(), wanted.begin(), wanted.end());
  EXPECT_TRUE(numbers == wanted) << numbers.size() << " of " << end << " are there; number "
                                 << differs.first - numbers.begin() << " is the first that differs";
}

std::vector<std::size_t> Confirmed(Bus& bus, std::size_t from, std::size_t count) {
  Batch batch;
  std::vector<std::size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), from);
  for (const std::size_t number : numbers) batch.Add("a", std::to_string(number));
  EXPECT_TRUE(test::BecomesTrue(
      [&] {
        batch.Publish(bus);
        batch.KeepUnconfirmed();
        return batch.messages.empty();
      },
      kFailover));
  return numbers;
}

class RedisBusFailover : public ::testing::Test {
 protected:
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }
  void WaitForMore(const Load& load) {
    const std::size_t before = load.confirmed();
    ASSERT_TRUE(test::BecomesTrue([&] { return load.confirmed() > before + kUnderWay; }, kFailover))
        << load.last_failure();
  }
  void ExpectNothingLostWhenMastersDie(test::RedisCluster& cluster, RedisBus& bus) {
    const std::string key = "summa:stream:{a}";
    Load load(bus, {"a"});
    // There and back: the second time the first master is the replica that takes over.
    for (int round = 0; round < 2; ++round) {
      WaitForMore(load);
      const std::size_t master = cluster.MasterOf(key);
      cluster.Node(master).KillNine();
      ASSERT_TRUE(test::BecomesTrue(
          [&] {
            try {
              return cluster.MasterOf(key) != master;
            } catch (const test::RedisError&) {
              return false;
            }
          },
          kFailover));
      cluster.Node(master).Start();
      WaitForMore(load);
      cluster.WaitUntilWhole();
    }
    ExpectWhole(bus, load.Stop());
  }
  void ExpectNothingLostWhenTheMasterDiesAndFreezes(test::RedisSentinels& redis, RedisBus& bus) {
    std::unique_ptr<Subscription> reader;
    UntilItAnswers([&] { reader = bus.Subscribe("a", "g", "c", SUMMA_BUS_EXCLUSIVE); });
    ASSERT_TRUE(reader);
    Load load(bus, {"a"});
    for (const bool freeze : {false, true}) {
      WaitForMore(load);
      const std::size_t master = redis.Master();
      if (freeze) {
        ASSERT_EQ(kill(redis.Server(master).Pid(), SIGSTOP), 0);
      } else {
        redis.Server(master).KillNine();
      }
      ASSERT_TRUE(test::BecomesTrue([&] { return redis.Master() != master; }, kFailover));
      if (freeze) {
        ASSERT_EQ(kill(redis.Server(master).Pid(), SIGCONT), 0);
      } else {
        redis.Server(master).Start();
      }
      WaitForMore(load);
    }
    const std::size_t end = load.Stop();
    ExpectWhole(bus, end);
    // A reader that was there all the time goes on at the new master.
    std::set<std::size_t> read;
    EXPECT_TRUE(test::BecomesTrue(
        [&] {
          try {
            std::vector<summa_str> ids;
            for (const auto& delivery : reader->Poll(1000, milliseconds(50))) {
              read.insert(NumberOf(delivery));
              ids.push_back(delivery.delivery_id);
            }
            reader->Ack(ids);
          } catch (const Error& error) {
            EXPECT_EQ(error.status(), SUMMA_E_UNAVAILABLE) << error.what();
          }
          return read.size() == end;
        },
        kFailover))
        << read.size() << " of " << end;
  }
  BusEvents events_;
};

TEST_F(RedisBusFailover, OfAMasterOfAClusterLosesNothingUnderLoad) {
  test::RedisClusterOptions options;
  options.replicas = 1;
  test::RedisCluster cluster(options);
  RedisBus bus(Options(cluster.Url()), &events_);
  ExpectNothingLostWhenMastersDie(cluster, bus);
}

TEST_F(RedisBusFailover, OfAMasterOfAClusterWithTlsAndTwoReplicasEachLosesNothing) {
  const Certificates certificates;
  test::RedisClusterOptions options;
  options.replicas = 2;
  options.tls_arguments = certificates.Arguments();
  test::RedisCluster cluster(options);
  RedisBus bus(ForTwoReplicas(cluster.Url(), certificates), &events_);
  ExpectNothingLostWhenMastersDie(cluster, bus);
}

TEST_F(RedisBusFailover, BehindSentinelsLosesNothingUnderLoadWhenTheMasterDiesAndWhenItFreezes) {
  test::RedisSentinels redis;
  RedisBus bus(Options(redis.Url()), &events_);
  ExpectNothingLostWhenTheMasterDiesAndFreezes(redis, bus);
}

TEST_F(RedisBusFailover, BehindSentinelsWithTlsAndTwoReplicasLosesNothing) {
  const Certificates certificates;
  test::RedisSentinels::Options options;
  options.replicas = 2;
  options.tls_arguments = certificates.Arguments();
  test::RedisSentinels redis(options);
  RedisBus bus(ForTwoReplicas(redis.Url(), certificates), &events_);
  ExpectNothingLostWhenTheMasterDiesAndFreezes(redis, bus);
}

// What Redis may lose without wait_replicas, and nothing but that.
TEST_F(RedisBusFailover, WithoutWaitingOnlyWhatNoReplicaHadIsLost) {
  test::RedisSentinels::Options slow;
  slow.down_after_milliseconds = 15'000;  // only a master that was killed is replaced
  test::RedisSentinels redis(slow);
  RedisBusOptions options = Options(redis.Url());
  RedisBus waiting(options, &events_);
  options.writer.wait_replicas = 0;
  RedisBus bus(options, &events_);
  Confirmed(waiting, 0, 10);
  Confirmed(bus, 10, 10);
  Confirmed(waiting, 20, 10);  // and so everything before it
  ASSERT_EQ(redis.Master(), 0U);
  ASSERT_EQ(kill(redis.Server(1).Pid(), SIGSTOP), 0);
  // Else the kernel keeps for the replica what was sent to it.
  test::RedisClient(redis.Server(0).Url()).Command({"CLIENT", "KILL", "TYPE", "replica"});
  Confirmed(bus, 30, 10);
  redis.Server(0).KillNine();
  ASSERT_EQ(kill(redis.Server(1).Pid(), SIGCONT), 0);
  Confirmed(bus, 40, 10);
  std::vector<std::size_t> wanted(40);
  std::iota(wanted.begin(), wanted.begin() + 30, std::size_t{0});
  std::iota(wanted.begin() + 30, wanted.end(), std::size_t{40});
  EXPECT_EQ(ReadAll(bus), wanted);
}

class RedisBusReplica : public RedisBusFailover {
 protected:
  static test::RedisOptions Server(const std::string& name, const std::string& value) {
    test::RedisOptions options;
    options.tcp = true;
    options.extra_arguments = {"--repl-diskless-sync-delay", "0", name, value};
    return options;
  }
  RedisBusReplica()
      : master_(Server("--appendonly", "no")),
        replica_(Server("--replicaof", "127.0.0.1 " + std::to_string(master_.Port()))),
        client_(master_.Url()) {
    options_ = Patient(master_.Url());
    options_.writer.wait_timeout = milliseconds(100);
  }
  ~RedisBusReplica() override { kill(replica_.Pid(), SIGCONT); }
  long long Length(const std::string& topic) {
    return client_.StreamLength("summa:stream:" + topic);
  }

  test::RedisServer master_, replica_;
  test::RedisClient client_;
  RedisBusOptions options_;
};

TEST_F(RedisBusReplica, WhatNoReplicaHasIsNotConfirmedAndIsWrittenOnceUntilItIsBack) {
  RedisBus bus(options_, &events_);
  Confirmed(bus, 0, 3);
  const long long before = Length("a");
  ASSERT_EQ(kill(replica_.Pid(), SIGSTOP), 0);
  Batch batch;
  for (const char* id : {"3", "4", "5"}) batch.Add("a", id);
  batch.Add("b", "0");
  for (int attempt = 0; attempt < 4; ++attempt) {
    const auto failure = batch.Publish(bus);
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->code(), "SH-0627");
    EXPECT_EQ(failure->status(), SUMMA_E_UNAVAILABLE);
    EXPECT_THAT(failure->what(), HasSubstr("0 replicas have what was written"));
    EXPECT_THAT(batch.Outcomes(), Each(SUMMA_BUS_UNSENT));
    EXPECT_EQ(Length("a"), before + 3) << "not with every attempt";
    EXPECT_EQ(Length("b"), 1);
  }
  ASSERT_EQ(kill(replica_.Pid(), SIGCONT), 0);
  Confirmed(bus, 3, 3);
  ExpectWhole(bus, 6);
}

TEST_F(RedisBusReplica, NothingIsSentWhereTooFewReplicasFollow) {
  options_.writer.wait_replicas = 2;
  RedisBus bus(options_, &events_);
  Batch batch;
  batch.Add("a", "0");
  const auto failure = batch.Publish(bus);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), "SH-0627");
  EXPECT_EQ(Length("a"), 0);
}

TEST_F(RedisBusReplica, DoctorComparesTheSettingWithTheReplicasThatFollow) {
  RedisBus bus(options_, &events_);
  Confirmed(bus, 0, 1);
  const auto severity = [&](int wait_replicas) {
    std::optional<Severity> found;
    Servers servers = bus.MakeServers("doctor");
    ExamineServers(servers, bus.names(), wait_replicas, [&](const Finding& finding) {
      if (finding.subject == "replicas") found = finding.severity;
    });
    return found;
  };
  EXPECT_EQ(severity(0), std::nullopt) << "one server";
  EXPECT_EQ(severity(1), Severity::kOk);
  EXPECT_EQ(severity(2), Severity::kError);
}

TEST_F(RedisBusReplica, ALoginThatMayNotWaitIsNamedBeforeAnythingIsSent) {
  client_.Command({"ACL", "SETUSER", "summa", "on", ">pw", "~summa:*", "+@all", "-wait"});
  options_.url.user = "summa";
  options_.url.password = "pw";
  RedisBus bus(options_, &events_);
  Batch batch;
  batch.Add("a", "0");
  const auto failure = batch.Publish(bus);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), "SH-0627");
  EXPECT_THAT(failure->hint(), HasSubstr("+wait"));
  EXPECT_EQ(Length("a"), 0);
}

TEST_F(RedisBusFailover, SentinelsWithAPasswordAndWrongNamesAreSaidAsTheyAre) {
  test::RedisSentinels::Options options;
  options.sentinel_password = "secret-of-sentinels";
  options.down_after_milliseconds = 15'000;  // nobody is replaced here
  test::RedisSentinels redis(options);
  const auto bus = [&](const std::string& url, const std::string& password) {
    RedisBusOptions bus_options = Patient(url);
    bus_options.sentinel_login.password = password;
    return std::make_unique<RedisBus>(bus_options, &events_);
  };
  bus(redis.Url(), options.sentinel_password)->Ping();

  const Error no_login = ErrorOf([&] { bus(redis.Url(), "")->Ping(); });
  EXPECT_EQ(no_login.code(), "SH-0626");
  EXPECT_EQ(no_login.status(), SUMMA_E_UNAVAILABLE);
  EXPECT_THAT(no_login.what(), HasSubstr("NOAUTH"));
  const Error wrong = ErrorOf([&] { bus(redis.Url(), "wr0ng")->Ping(); });
  EXPECT_THAT(std::string(wrong.what()), HasSubstr("the login was refused"));
  EXPECT_THAT(wrong.what() + wrong.hint(), ::testing::Not(HasSubstr("wr0ng")));
  const Error other = ErrorOf([&] { bus(redis.Url() + "s", options.sentinel_password)->Ping(); });
  EXPECT_THAT(other.what(), HasSubstr("watches no master of this name"));

  // A Sentinel that is dead is passed over.
  redis.Sentinel(0).Signal(SIGKILL);
  bus(redis.Url(), options.sentinel_password)->Ping();

  std::string sentinel = redis.Url();
  const std::size_t comma = sentinel.find(',');
  sentinel = "redis://" + sentinel.substr(comma + 1, sentinel.find(',', comma + 1) - comma - 1);
  RedisBusOptions direct = Patient(sentinel);
  direct.url.password = options.sentinel_password;
  const Error not_redis = ErrorOf([&] { RedisBus(direct, &events_).Ping(); });
  EXPECT_EQ(not_redis.code(), "SH-0621");
  EXPECT_THAT(not_redis.hint(), HasSubstr("redis+sentinel://"));
}

}  // namespace
}  // namespace summa::bus_redis
