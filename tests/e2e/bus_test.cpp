// Two buses in one host: Redis, and one in memory that has the core of summa.bus/1 and no more.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TwoBuses : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override { url_ = InstallLedger(*server_, "bus_" + std::to_string(++databases_)); }

  std::string Configuration(const std::string& plugins, const std::string& host = "") const {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\"" + host + " }\nplugins:\n" + plugins;
  }
  std::string Both() const {
    return "  bus-redis: { url: \"" + redis_.Url() + "\" }\n  bus-memory: { messages: 20 }\n";
  }
  static std::map<std::string, std::string> Environment() {
    return {{"SUMMA_PLUGIN_PATH",
             std::string(SUMMA_BUS_MEMORY_DIRECTORY) + ":" + SUMMA_GREETER_DIRECTORY}};
  }
  static RunResult Run(std::vector<std::string> words, const std::string& configuration) {
    const TemporaryFile file("summa.yaml", configuration);
    words.insert(words.end(), {"-c", file.Path(), "--output", "json"});
    return SummaHost(words, Environment());
  }

  static PostgresServer* server_;
  static int databases_;
  RedisServer redis_;
  std::string url_;
};

PostgresServer* TwoBuses::server_ = nullptr;
int TwoBuses::databases_ = 0;

TEST_F(TwoBuses, AVerbAsksWhichBusIsMeantAndWorksOnEach) {
  RedisClient(redis_.Url()).Command({"XADD", "summa:stream:a", "*", "id", "1", "payload", "{}"});
  const std::string both = Configuration(Both());
  const RunResult which = Run({"bus", "streams"}, both);
  EXPECT_EQ(which.exit_code, 64) << which.out;
  EXPECT_THAT(which.out, HasSubstr("bus-redis, bus-memory"));
  EXPECT_EQ(Run({"bus", "streams", "--bus", "nobody"}, both).exit_code, 66);

  const RunResult redis = Run({"bus", "streams", "--bus", "bus-redis"}, both);
  EXPECT_EQ(redis.exit_code, 0) << redis.out << redis.err;
  EXPECT_THAT(redis.out, HasSubstr("\"stream\":\"a\",\"messages\":1"));
  const RunResult memory = Run({"bus", "streams", "--bus", "bus-memory"}, both);
  EXPECT_EQ(memory.exit_code, 0) << memory.out << memory.err;
  EXPECT_THAT(memory.out, HasSubstr("\"stream\":\"ledger-account-created\",\"messages\":20"));

  const RunResult tail =
      Run({"bus", "tail", "ledger-account-created", "--count", "2", "--bus", "bus-memory"}, both);
  EXPECT_EQ(tail.exit_code, 0) << tail.out << tail.err;
  EXPECT_THAT(tail.out, HasSubstr("\"id\":\"18\""));
  EXPECT_THAT(tail.out, HasSubstr("\"id\":\"19\""));
  EXPECT_THAT(tail.out, Not(HasSubstr("\"id\":\"17\"")));
  EXPECT_EQ(Run({"bus", "tail", "none", "--bus", "bus-memory"}, both).exit_code, 66);

  const RunResult trim = Run({"bus", "trim", "--bus", "bus-memory"}, both);
  EXPECT_EQ(trim.exit_code, 78) << trim.out;
  EXPECT_THAT(trim.out, HasSubstr("SH-0630"));
  EXPECT_EQ(Run({"bus", "trim", "--bus", "bus-redis"}, both).exit_code, 0);
}

TEST_F(TwoBuses, TheOnlyBusNeedsNoName) {
  const std::string one = Configuration("  bus-memory: { messages: 1 }\n");
  EXPECT_EQ(Run({"bus", "groups"}, one).exit_code, 0);
  const std::string none = Configuration("  bus-memory: { enabled: false }\n");
  EXPECT_EQ(Run({"bus", "groups"}, none).exit_code, 78);
}

// One inbox for the consumers of both, kept for host.inbox_retention.
TEST_F(TwoBuses, TheInboxIsCleanedOnceForAllBuses) {
  const std::string both = Configuration(Both(), ", inbox_retention: 24h");
  EXPECT_EQ(Run({"migrate"}, both).exit_code, 0);
  Db(url_).Execute(
      "INSERT INTO summa_host.inbox VALUES ('g', 'old', now() - interval '25 hours'), "
      "('g', 'new', now() - interval '23 hours')");
  const RunResult run = Run({"run", "--once", "--only", "inbox-cleanup"}, both);
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out,
              HasSubstr("\"id\":\"inbox-cleanup\",\"plugin\":\"host\",\"outcome\":\"ok\""));
  EXPECT_EQ(Db(url_).Column("SELECT message_id FROM summa_host.inbox"),
            std::vector<std::string>{"new"});
  EXPECT_THAT(Run({"workers", "list"}, both).out, HasSubstr("\"id\":\"inbox-cleanup\""));
}

TEST_F(TwoBuses, TheOldPlaceOfTheRetentionIsRefusedAndNamesTheNewOne) {
  const std::string old =
      Configuration("  bus-redis: { url: \"" + redis_.Url() + "\", inbox_retention: 24h }\n");
  const RunResult check = Run({"config", "check"}, old);
  EXPECT_EQ(check.exit_code, 78) << check.out;
  EXPECT_THAT(check.out, HasSubstr("host.inbox_retention"));
}

// The library of consumers on a bus that has neither claims nor counts nor dead letters.
TEST_F(TwoBuses, AConsumerOfABusWithTheCoreAloneHandlesEverythingOnceAndGivesUpWhatItCannot) {
  const std::string configuration =
      Configuration(Both() + "  account-greeter: { use: { bus: bus-memory } }\n");
  const RunResult run = Run({"run", "--once", "--only", "account-greeter"}, configuration);
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM account_greeter.greeting"), 19);
  EXPECT_THAT(run.out, HasSubstr("\"bus-memory\":{\"deadLetters\":1}"))
      << "the message without a key is in TOPIC.dlq";
}

TEST_F(TwoBuses, ADeadLetterOnABusThatKeepsNoneIsCounted) {
  const TemporaryFile file(
      "summa.yaml", Configuration(Both() + "  account-greeter: { use: { bus: bus-memory } }\n"));
  RunningHost host({"-c", file.Path()}, Environment());
  host.StatusWhen("running");
  EXPECT_TRUE(BecomesTrue([&] {
    const std::string metrics = HttpGet(host.Port(), "/metrics").body;
    return metrics.find("summa_bus_dead_letters_total{bus=\"bus-memory\"") != std::string::npos;
  }));
}

TEST_F(TwoBuses, TheMetricsTellTheBusesApart) {
  const TemporaryFile file("summa.yaml", Configuration(Both()));
  RunningHost host({"-c", file.Path()}, Environment());
  host.StatusWhen("running");
  const std::string metrics = HttpGet(host.Port(), "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("summa_bus_connected{bus=\"bus-redis\"}"));
  EXPECT_THAT(metrics, HasSubstr("summa_bus_connected{bus=\"bus-memory\"} 1"));
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
}

}  // namespace
}  // namespace summa::test
