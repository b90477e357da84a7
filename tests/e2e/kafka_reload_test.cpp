// The password of Kafka is rotated while the real program delivers live traffic.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/e2e/outbox_support.hpp"
#include "tests/services/kafka_server.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kBefore[] = "word-of-before", kAfter[] = "word-of-after";

class ReloadedPassword : public Outbox {
 protected:
  static void SetUpTestSuite() {
    Outbox::SetUpTestSuite();
    if (!KafkaServer::Jars()) return;
    kafka_ = new KafkaServer(
        {.nodes = 1, .extra_settings = SettingsFor(kBefore), .client_protocol = "SASL_PLAINTEXT"});
  }
  static void TearDownTestSuite() {
    Outbox::TearDownTestSuite();
    delete kafka_;
    kafka_ = nullptr;
  }
  void SetUp() override {
    Outbox::SetUp();
    if (kafka_ == nullptr) {
      GTEST_SKIP() << "skipped: there is no Kafka (tests/services/kafka/fetch)";
    }
    UseFixture(ConstraintNames::kDrizzle, 50);
    kafka_->SetExtraSettings(SettingsFor(kBefore));
    CutConnections();
    Write(kBefore);
    file_ = std::make_unique<TemporaryFile>("summa.yaml", Text());
    host_ = std::make_unique<RunningHost>(std::vector<std::string>{"-c", file_->Path()});
    host_->StatusWhen("running");
    traffic_ = std::make_unique<TrafficGenerator>(
        url_, TrafficOptions{.connections = 2, .accounts = 25, .rate = 100});
    traffic_->Start();
    WaitForMore();
  }
  std::string Text() const {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n" +
           "  bus-kafka: { brokers: \"" + kafka_->SecureBrokers() + "\", topic_prefix: " + name_ +
           "-, partitions: 2, security: sasl_plaintext, sasl_mechanism: PLAIN, user: rotating, "
           "password: \"${file:" +
           secret_.Path() + "}\" }\n  outbox: { use: { bus: bus-kafka } }\n";
  }
  // The mechanism that works with every version of librdkafka and of Kafka.
  static std::vector<std::string> SettingsFor(const std::string& password) {
    return {"sasl.enabled.mechanisms=PLAIN",
            "listener.name.client.plain.sasl.jaas.config="
            "org.apache.kafka.common.security.plain.PlainLoginModule required user_rotating=\"" +
                password + "\";"};
  }
  // As a whole: a reader sees the old text or the new one.
  void Write(const std::string& text) {
    std::ofstream(secret_.Path() + ".new") << text << "\n";
    std::filesystem::rename(secret_.Path() + ".new", secret_.Path());
  }
  void HangUpAndWaitFor(const std::string& words) {
    host_->process().Signal(SIGHUP);
    WaitUntil([&] { return Said().find(words) != std::string::npos; }, kTimeout,
              "\"" + words + "\" in the log");
  }
  // Kafka reads its passwords when it starts.
  static void CutConnections() {
    kafka_->Restart();
    kafka_->Await();
  }
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
    const RunResult verified =
        SummaHost({"outbox", "verify", "-c", file_->Path(), "--output", "json"});
    EXPECT_THAT(verified.out, HasSubstr("\"missing\":[]")) << verified.err;
    host_->process().Signal(SIGTERM);
    EXPECT_EQ(host_->process().WaitOrKill(kTimeout), 0) << Said();
    EXPECT_THAT(Said(), Not(HasSubstr("word-of"))) << "a password is shown";
  }

  static inline KafkaServer* kafka_ = nullptr;
  TemporaryFile secret_{"password", ""};
  std::unique_ptr<TemporaryFile> file_;
  std::unique_ptr<RunningHost> host_;
  std::unique_ptr<TrafficGenerator> traffic_;
};

TEST_F(ReloadedPassword, OfKafkaIsUsedByTheNextConnectionAndNothingIsLost) {
  kafka_->SetExtraSettings(SettingsFor(kAfter));
  Write(kAfter);
  HangUpAndWaitFor("in_effect=plugins.bus-kafka.password");
  CutConnections();
  WaitForMore();
  EXPECT_THAT(Said(), Not(HasSubstr("SH-0641"))) << "no login was refused";
  // The first look at the broker that was restarted may not be over.
  WaitUntil([&] { return HttpGet(host_->Port(), "/readyz").status == 200; }, kTimeout, "readiness");
  ExpectWhole();
}

TEST_F(ReloadedPassword, OfKafkaThatIsReplacedLateIsTakenWithoutARestart) {
  kafka_->SetExtraSettings(SettingsFor(kAfter));
  CutConnections();
  WaitUntil(
      [&] {
        return Said().find("SH-0641") != std::string::npos ||
               HttpGet(host_->Port(), "/readyz").body.find("uthentication") != std::string::npos;
      },
      kTimeout, "a refused login");
  Write(kAfter);
  HangUpAndWaitFor("in_effect=plugins.bus-kafka.password");
  WaitForMore();
  ExpectWhole();
}

}  // namespace
}  // namespace summa::test
