// Plugins that consume in the real host, against a real PostgreSQL and Redis: the example of
// docs/write-a-plugin.md, and one that subscribes by itself. Messages are taken by a running host,
// and by `run --once` in the worker that is asked for; by nothing else.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <map>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

constexpr char kStream[] = "summa:stream:ledger-account-created";

class ConsumerHost : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(PostgresOptions{}); }
  static void TearDownTestSuite() { delete server_; }
  void SetUp() override {
    url_ = InstallLedger(*server_, "consumer_" + std::to_string(++databases_));
    Configure("nowhere");
    ASSERT_EQ(Host({"migrate"}).exit_code, 0);
  }
  void Configure(const std::string& eager, const std::string& redis = "") {
    file_.emplace(
        "summa.yaml",
        "database: { ledger: { url: \"" + url_ + "\" } }\n" +
            "host: { listen: \"127.0.0.1:0\" }\nplugins:\n  bus-redis: { url: \"" +
            (redis.empty() ? redis_.Url() : redis) + "\" }\n" +
            "  account-greeter: { use: { bus: bus-redis } }\n  eager: { use: { bus: bus-redis }, "
            "where: " +
            eager + " }\n");
  }
  std::vector<std::string> Arguments(std::vector<std::string> arguments) const {
    const std::string binary = std::getenv("SUMMA_BINARY_DIR");
    arguments.insert(arguments.end(),
                     {"-c", file_->Path(), "--plugin-dir", binary + "/tests/example",
                      "--plugin-dir", binary + "/lib/summa/plugins"});
    return arguments;
  }
  RunResult Host(std::vector<std::string> arguments) const {
    return SummaHost(Arguments(std::move(arguments)));
  }
  void Publish(int from, int to, const std::string& key = "account") {
    RedisClient client(redis_.Url());
    for (int i = from; i < to; ++i) {
      client.Command({"XADD", kStream, "*", "id", "m" + std::to_string(i), "type",
                      "ledger-account-created", "payload", "{}", "key",
                      key.empty() ? "" : key + std::to_string(i % 5)});
    }
  }
  // Every group of the stream: name and how many it was given.
  std::map<std::string, long long> Groups() {
    std::map<std::string, long long> groups;
    for (const RedisReply& group :
         RedisClient(redis_.Url()).Command({"XINFO", "GROUPS", kStream}).items) {
      std::map<std::string, const RedisReply*> fields;
      for (std::size_t i = 0; i + 1 < group.items.size(); i += 2) {
        fields[group.items[i].text] = &group.items[i + 1];
      }
      groups[fields.at("name")->text] =
          fields.at("entries-read")->integer - fields.at("pending")->integer;
    }
    return groups;
  }
  bool Handled(const std::string& group, long long count) {
    const auto groups = Groups();
    const auto found = groups.find(group);
    return found != groups.end() && found->second == count;
  }
  long long Greetings() { return Db(url_).Count("SELECT count(*) FROM account_greeter.greeting"); }

  static inline PostgresServer* server_ = nullptr;
  static inline int databases_ = 0;
  RedisServer redis_;
  std::string url_;
  std::optional<TemporaryFile> file_;
};

TEST_F(ConsumerHost, NothingButAWorkerThatRunsTakesAMessage) {
  Publish(0, 50);
  for (const std::string where : {"nowhere", "activate", "start", "thread"}) {
    Configure(where);
    EXPECT_EQ(Host({"config", "check"}).exit_code, 0);
    EXPECT_EQ(Host({"plugins", "list"}).exit_code, 0);
    const RunResult doctor = Host({"doctor"});
    EXPECT_EQ(doctor.out.find("SH-0140") != std::string::npos, where == "start") << doctor.out;
    EXPECT_EQ(Host({"account-greeter", "count"}).exit_code, 0);
    const RunResult look = Host({"eager", "look"});
    EXPECT_EQ(look.exit_code, where == "start" ? 78 : 0) << look.err;
    EXPECT_EQ(look.err.find("SH-0140") != std::string::npos, where == "start") << look.err;
    // A worker of the same plugin, and one of another.
    Host({"run", "--once", "--only", "eager-idle"});
    EXPECT_EQ(Host({"run", "--once", "--only", "stream-trim"}).exit_code, 0);
    EXPECT_TRUE(Groups().empty()) << "something subscribed, where: " << where;
  }
  EXPECT_EQ(Greetings(), 0);
}

TEST_F(ConsumerHost, RunOnceDrainsALeasedConsumerToItsEnd) {
  Publish(0, 500);
  Publish(500, 501, "");  // nobody to greet
  const RunResult run = Host({"run", "--once", "--only", "account-greeter", "--output", "json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(Handled("account-greeter", 501));
  EXPECT_EQ(Greetings(), 500);
  EXPECT_EQ(RedisClient(redis_.Url()).StreamLength("summa:dlq:ledger-account-created"), 1);
  EXPECT_NE(run.err.find("SH-0141"), std::string::npos) << "a dead letter is told: " << run.err;
  EXPECT_NE(run.out.find("\"items\":500"), std::string::npos) << run.out;
  // Again: what was handled is handled once, what is new is handled.
  Publish(0, 20);
  Publish(600, 610);
  EXPECT_EQ(Host({"run", "--once", "--only", "account-greeter"}).exit_code, 0);
  EXPECT_TRUE(Handled("account-greeter", 531));
  EXPECT_EQ(Greetings(), 510);
}

TEST_F(ConsumerHost, RunOnceSaysThatWhatTheConsumerNeedsIsAway) {
  Publish(0, 10);
  {
    // Every greeting waits for this lock, and ends with a timeout.
    Db lock(url_);
    lock.Execute("BEGIN; LOCK TABLE account_greeter.greeting IN ACCESS EXCLUSIVE MODE");
    const RunResult run = Host({"run", "--once", "--only", "account-greeter", "--wait", "1s"});
    EXPECT_EQ(run.exit_code, 69) << run.err;
    EXPECT_NE(run.err.find("SH-0142"), std::string::npos) << run.err;
    lock.Execute("ROLLBACK");
  }
  EXPECT_EQ(RedisClient(redis_.Url()).StreamLength("summa:dlq:ledger-account-created"), 0);
  EXPECT_EQ(Host({"run", "--once", "--only", "account-greeter"}).exit_code, 0);
  EXPECT_EQ(Greetings(), 10);
  redis_.Stop();
  EXPECT_EQ(Host({"run", "--once", "--only", "account-greeter", "--wait", "1s"}).exit_code, 69);
}

TEST_F(ConsumerHost, ARunningHostConsumesUntilItsWorkerIsPausedAndGoesOnLater) {
  Configure("activate");
  Publish(0, 50);
  RunningHost host(Arguments({}));
  host.StatusWhen("running");
  EXPECT_TRUE(BecomesTrue([&] { return Handled("account-greeter", 50) && Handled("eager", 50); }));
  EXPECT_EQ(Host({"workers", "pause", "account-greeter"}).exit_code, 0);
  EXPECT_TRUE(BecomesTrue([&] {
    return Db(url_).Value(
               "SELECT state FROM summa_host.worker_state WHERE worker_id = 'account-greeter'") ==
           "stopped";
  }));
  Publish(50, 60);
  EXPECT_TRUE(BecomesTrue([&] { return Handled("eager", 60); }));
  EXPECT_EQ(Greetings(), 50);
  EXPECT_EQ(Host({"workers", "resume", "account-greeter"}).exit_code, 0);
  EXPECT_TRUE(BecomesTrue([&] { return Greetings() == 60; }));
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0);
  EXPECT_TRUE(Handled("account-greeter", 60)) << "what was handled is acknowledged";
}

TEST_F(ConsumerHost, APluginThatSubscribesInStartStillConsumesInARunningHost) {
  Configure("start");
  Publish(0, 50);
  RunningHost host(Arguments({}));
  EXPECT_TRUE(BecomesTrue([&] { return Handled("eager", 50); }));
}

TEST_F(ConsumerHost, APluginThatKeepsSessionsIsNamedAndStopsNoOther) {
  Configure("hog");
  RunningHost host(Arguments({}));
  const int port = host.Port();
  EXPECT_TRUE(BecomesTrue([&] {
    return HttpGet(port, "/readyz").body.find("plugin eager holds 6") != std::string::npos;
  })) << HttpGet(port, "/readyz").body;
  EXPECT_NE(HttpGet(port, "/metrics")
                .body.find("summa_db_plugin_sessions{database=\"ledger\",plugin=\"eager\"} 6"),
            std::string::npos)
      << HttpGet(port, "/metrics").body;
  Publish(0, 50);
  EXPECT_TRUE(BecomesTrue([&] { return Greetings() == 50; }));
}

TEST_F(ConsumerHost, WhatCannotBeginIsNamedAndBeginsLater) {
  RedisServer later;
  Configure("activate", later.Url());
  later.Stop();
  RunningHost host(Arguments({}));
  const int port = host.Port();
  EXPECT_TRUE(BecomesTrue(
      [&] { return HttpGet(port, "/readyz").body.find("plugin eager") != std::string::npos; }));
  later.Start();
  RedisClient(later.Url())
      .Command({"XADD", kStream, "*", "id", "m", "type", "t", "payload", "{}", "key", "k"});
  EXPECT_TRUE(BecomesTrue([&] {
    return RedisClient(later.Url()).Command({"XINFO", "GROUPS", kStream}).items.size() == 2;
  }));
  EXPECT_TRUE(BecomesTrue([&] { return HttpGet(port, "/readyz").status == 200; }));
}

}  // namespace
}  // namespace summa::test
