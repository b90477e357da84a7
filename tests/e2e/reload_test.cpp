// A secret of Redis is rotated while the real program delivers live traffic.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/e2e/outbox_support.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ReloadedSecret : public Outbox {
 protected:
  void SetUp() override {
    Outbox::SetUp();
    UseFixture(ConstraintNames::kDrizzle, 50);
    admin_.Command({"ACL", "SETUSER", "rotating", "on", ">word-of-before", "~*", "&*", "+@all"});
    Write("word-of-before\n");
    std::string url = redis_.Url();
    url.insert(std::string("unix://").size(), "rotating:${file:" + secret_.Path() + "}@");
    file_ = std::make_unique<TemporaryFile>("summa.yaml", Text(url));
    host_ = std::make_unique<RunningHost>(std::vector<std::string>{"-c", file_->Path()});
    host_->StatusWhen("running");
    traffic_ = std::make_unique<TrafficGenerator>(
        url_, TrafficOptions{.connections = 2, .accounts = 25, .rate = 100});
    traffic_->Start();
    WaitForMore();
  }
  std::string Text(const std::string& url, const std::string& level = "info") const {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\" }\nlog: { level: " + level + " }\n" +
           "plugins:\n  bus-redis: { url: \"" + url + "\" }\n" +
           "  outbox: { use: { bus: bus-redis } }\n";
  }
  // As a whole: a reader sees the old text or the new one.
  void Write(const std::string& text) {
    std::ofstream(secret_.Path() + ".new") << text;
    std::filesystem::rename(secret_.Path() + ".new", secret_.Path());
  }
  void RotateInRedis() {
    admin_.Command({"ACL", "SETUSER", "rotating", "resetpass", ">word-of-after"});
  }
  void HangUpAndWaitFor(const std::string& words) {
    host_->process().Signal(SIGHUP);
    WaitUntil([&] { return Said().find(words) != std::string::npos; }, kTimeout,
              "\"" + words + "\" in the log");
  }
  void CutConnections() { admin_.Command({"CLIENT", "KILL", "USER", "rotating"}); }
  std::string Said() { return host_->process().Stderr(); }
  long long Processed() {
    return Db(url_).Count("SELECT count(*) FROM outbox WHERE status = 'processed'");
  }
  void WaitForMore() {
    const long long before = Processed();
    WaitUntil([&] { return Processed() > before + 100; }, kTimeout, "delivered rows");
  }
  void ExpectWhole() {
    traffic_->Stop();
    WaitUntil([&] { return Pending().empty(); }, kTimeout, "an empty outbox");
    const std::vector<Received> received = ReadStreams();
    ExpectOrder(received);
    const auto ids = Db(url_).Column("SELECT id FROM outbox");
    EXPECT_EQ(Ids(received), std::set<std::string>(ids.begin(), ids.end()));
    host_->process().Signal(SIGTERM);
    EXPECT_EQ(host_->process().WaitOrKill(kTimeout), 0) << Said();
    EXPECT_THAT(Said(), Not(HasSubstr("word-of"))) << "a password is shown";
  }

  RedisClient admin_{redis_.Url()};
  TemporaryFile secret_{"password", ""};
  std::unique_ptr<TemporaryFile> file_;
  std::unique_ptr<RunningHost> host_;
  std::unique_ptr<TrafficGenerator> traffic_;
};

TEST_F(ReloadedSecret, OfRedisIsUsedByTheNextConnectionAndNothingIsLost) {
  Write("word-of-after\n");
  RotateInRedis();
  HangUpAndWaitFor("in_effect=plugins.bus-redis.url");
  CutConnections();
  WaitForMore();
  EXPECT_THAT(Said(), Not(HasSubstr("SH-0602"))) << "no login was refused";
  EXPECT_EQ(HttpGet(host_->Port(), "/readyz").status, 200);
  ExpectWhole();
}

TEST_F(ReloadedSecret, OfRedisThatIsReplacedLateIsTakenWithoutARestart) {
  RotateInRedis();
  CutConnections();
  WaitUntil(
      [&] {
        return Said().find("SH-0602") != std::string::npos ||
               HttpGet(host_->Port(), "/readyz").body.find("login was refused") !=
                   std::string::npos;
      },
      kTimeout, "a refused login");
  Write("word-of-after\n");
  HangUpAndWaitFor("in_effect=plugins.bus-redis.url");
  WaitForMore();
  ExpectWhole();
}

TEST_F(ReloadedSecret, ThatCannotBeReadKeepsTheOldOneAndIsNamed) {
  Write("\n");
  HangUpAndWaitFor("SH-0909");
  EXPECT_THAT(Said(), HasSubstr("SH-0224"));
  EXPECT_THAT(Said(), HasSubstr("file " + secret_.Path() + " is empty"));
  std::filesystem::remove(secret_.Path());
  HangUpAndWaitFor("file " + secret_.Path() + " does not exist");
  CutConnections();
  WaitForMore();
  // One that is no login at all is named by the plugin.
  Write("%word-of-nobody\n");
  HangUpAndWaitFor("SH-0911");
  EXPECT_THAT(Said(), HasSubstr("SH-0606"));
  CutConnections();
  WaitForMore();
  ExpectWhole();
}

TEST_F(ReloadedSecret, IsTakenWhileAnotherServerNeedsARestart) {
  std::string url = redis_.Url();
  url.insert(std::string("unix://").size(), "rotating:${file:" + secret_.Path() + "}@");
  std::ofstream(file_->Path()) << Text(url + "?db=1", "debug");
  HangUpAndWaitFor("SH-0910");
  EXPECT_THAT(Said(), HasSubstr("keys=plugins.bus-redis.url"));
  EXPECT_THAT(Said(), HasSubstr("in_effect=log.level"));
  CutConnections();
  WaitForMore();
  ExpectWhole();
}

}  // namespace
}  // namespace summa::test
