// A Redis that answers and cannot serve: it is away for a while, under the name that it gives its
// trouble. Nothing is taken, given up or settled, and everything goes on by itself afterwards.
#include <filesystem>
#include <functional>
#include <thread>

#include "tests/integration/bus_redis_support.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::ContainsRegex;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::chrono::microseconds kNoWait{0};

class BusRedisOutage : public BusRedis {
 protected:
  void SetUp() override {
    BusRedis::SetUp();
    bus_ = MakeBus();
    Batch batch;
    for (const std::string& id : Numbers(3)) batch.Add("a", id);
    EXPECT_FALSE(batch.Publish(*bus_));
    subscription_ = bus_->Subscribe("a", "g", "c");
    held_ = FromAbi(subscription_->Poll(1, kNoWait)[0].delivery_id);
  }
  void Configure(const std::string& name, const std::string& value) {
    redis_->Command({"CONFIG", "SET", name, value});
  }
  bool InfoSays(const std::string& section, const std::string& line) {
    return redis_->Command({"INFO", section}).text.find(line) != std::string::npos;
  }

  static void ExpectAway(const std::string& what, const std::string& word,
                         const std::function<void()>& action) {
    const Error error = ErrorOf(action);
    EXPECT_EQ(error.status(), SUMMA_E_UNAVAILABLE) << what;
    EXPECT_EQ(error.code(), "SH-0603") << what << ": " << error.what();
    EXPECT_THAT(error.what(), ContainsRegex(word)) << what;
    EXPECT_THAT(error.hint(), Not(HasSubstr("start Redis"))) << what << ": it runs";
  }
  // What users of the bus meet while the server answers with `word`.
  void ExpectOutage(const std::string& word) {
    for (const char* id : {"3", "4", "5"}) later_.Add("a", id);
    ExpectAway("publish", word, [&] {
      if (const auto failure = later_.Publish(*bus_)) throw *failure;
    });
    EXPECT_THAT(later_.Outcomes(), Each(static_cast<int>(SUMMA_BUS_UNSENT)));
    const summa_str id = ToAbi(held_);
    ExpectAway("poll", word, [&] { subscription_->Poll(10, kNoWait); });
    ExpectAway("ack", word, [&] { subscription_->Ack(std::span(&id, 1)); });
    ExpectAway("dead letter", word, [&] { subscription_->DeadLetter(id, "bad"); });
    ExpectAway("subscribe", word, [&] { MakeBus()->Subscribe("a", "g", "d"); });
  }
  void ExpectThatItGoesOn() {
    PublishUntilConfirmed(later_, *bus_);
    EXPECT_EQ(redis_->StreamLength("summa:stream:a"), 6) << "each of them once";
    EXPECT_EQ(Ids("a"), Numbers(6));
    EXPECT_EQ(redis_->StreamLength("summa:dlq:a"), 0);
    const std::vector<GroupState> groups = bus_->MakeAdmin().Groups("a");
    ASSERT_EQ(groups.size(), 1U);
    EXPECT_EQ(groups[0].pending, 1) << "what was held is still held";
  }

  std::unique_ptr<RedisBus> bus_;
  std::unique_ptr<Subscription> subscription_;
  std::string held_;  // a delivery that was not settled
  Batch later_;
};

TEST_F(BusRedisOutage, ASnapshotThatCannotBeWrittenStopsWritesAndIsNamed) {
  // A directory stands where the snapshot belongs: no one can write it, root neither.
  const std::string blocked = redis_->Command({"CONFIG", "GET", "dir"}).items.at(1).text + "/" +
                              redis_->Command({"CONFIG", "GET", "dbfilename"}).items.at(1).text;
  std::filesystem::create_directories(blocked + "/x");
  Configure("stop-writes-on-bgsave-error", "yes");
  Configure("save", "3600 1000000");
  redis_->Command({"BGSAVE"});
  ASSERT_TRUE(test::BecomesTrue([&] { return InfoSays("persistence", "last_bgsave_status:err"); }));
  ExpectOutage("MISCONF");
  ExpectAway("connect", "MISCONF", [&] { MakeBus()->Ping(); });
  std::filesystem::remove_all(blocked);
  redis_->Command({"BGSAVE"});
  ASSERT_TRUE(test::BecomesTrue([&] { return InfoSays("persistence", "last_bgsave_status:ok"); }));
  ExpectThatItGoesOn();
}

TEST_F(BusRedisOutage, TooManyClientsAreNoWrongPassword) {
  redis_->Command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  Configure("maxclients", "1");
  ExpectOutage("max number of clients");
  ExpectAway("connect", "max number of clients", [&] { MakeBus()->Ping(); });
  RedisBusOptions without_login = Options();
  without_login.url.user.clear();
  without_login.url.password.clear();
  ExpectAway("connect", "max number of clients", [&] { MakeBus(without_login)->Ping(); });
  Configure("maxclients", "1000");
  ExpectThatItGoesOn();
}

TEST_F(BusRedisOutage, AScriptThatDoesNotEnd) {
  Configure("busy-reply-threshold", "1");
  std::thread script([url = server_->Url()] {
    test::RedisClient client(url);
    EXPECT_THROW(client.Command({"EVAL", "while true do end", "0"}), test::RedisError);
  });
  EXPECT_TRUE(test::BecomesTrue([&] {
    try {
      redis_->Command({"PING"});
      return false;
    } catch (const test::RedisError&) {
      return true;
    }
  }));
  ExpectOutage("BUSY");
  redis_->Command({"SCRIPT", "KILL"});
  script.join();
  ExpectThatItGoesOn();
}

TEST_F(BusRedisOutage, AServerThatReadsItsFile) {
  Configure("rdbcompression", "no");
  Configure("loading-process-events-interval-bytes", "1024");
  for (const std::string& number : Numbers(600)) {
    redis_->Command({"SET", "other:" + number, std::string(4096, 'x')});
  }
  Configure("key-load-delay", "100000");  // microseconds: a minute in all, if nobody ends it
  std::thread reload([url = server_->Url()] {
    test::RedisClient client(url);
    client.Command({"DEBUG", "RELOAD"});
  });
  EXPECT_TRUE(test::BecomesTrue([&] { return InfoSays("persistence", "\nloading:1"); }));
  ExpectOutage("LOADING");
  Configure("key-load-delay", "0");
  reload.join();
  ExpectThatItGoesOn();
}

TEST_F(BusRedisOutage, AReplicaWithoutItsMaster) {
  Configure("replica-serve-stale-data", "no");
  redis_->Command({"REPLICAOF", "127.0.0.1", "1"});
  ExpectOutage("MASTERDOWN|READONLY");  // of a read, and of a write
  ExpectAway("connect", "MASTERDOWN", [&] { MakeBus()->Ping(); });
  redis_->Command({"REPLICAOF", "NO", "ONE"});
  ExpectThatItGoesOn();
}

TEST_F(BusRedisOutage, AReplicaTakesNoWrites) {
  redis_->Command({"REPLICAOF", "127.0.0.1", "1"});
  ExpectOutage("READONLY");
  redis_->Command({"REPLICAOF", "NO", "ONE"});
  ExpectThatItGoesOn();
}

TEST_F(BusRedisOutage, AMasterWithoutTheReplicasThatItAsksFor) {
  Configure("min-replicas-to-write", "1");
  ExpectOutage("NOREPLICAS");
  Configure("min-replicas-to-write", "0");
  ExpectThatItGoesOn();
}

}  // namespace
}  // namespace summa::bus_redis
