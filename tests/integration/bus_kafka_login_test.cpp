// bus-kafka over TLS with a login, and with rights that are not all of them.
#include <fstream>

#include "plugins/bus-kafka/examine.hpp"
#include "tests/integration/bus_kafka_support.hpp"
#include "tests/services/certificate.hpp"

namespace summa::bus_kafka {
namespace {

class BusKafkaLogin : public testing::Test {
 protected:
  void SetUp() override {
    if (!KafkaServer::Jars()) {
      GTEST_SKIP() << "skipped: there is no Kafka (tests/services/kafka/fetch)";
    }
    test::MakeCertificate(File("ca"), "/CN=throw-away authority");
    test::MakeCertificate(File("other"), "/CN=another authority");
    test::MakeCertificate(File("server"), "/CN=kafka", File("ca"));
    test::MakeExpiredCertificate(File("expired"), "/CN=kafka", File("ca"));
  }
  // Everybody but the user of the tests may do everything.
  void Start(const std::string& certificate) {
    // Key and certificate in one file.
    std::ofstream(File("server.pem")) << std::ifstream(File(certificate + ".key")).rdbuf()
                                      << std::ifstream(File(certificate + ".crt")).rdbuf();
    server_.emplace(test::KafkaOptions{
        .nodes = 1,
        .extra_settings = {"sasl.enabled.mechanisms=PLAIN",
                           "listener.name.client.plain.sasl.jaas.config="
                           "org.apache.kafka.common.security.plain.PlainLoginModule required "
                           "user_summa=\"secret\";",
                           "listener.name.client.ssl.keystore.type=PEM",
                           "listener.name.client.ssl.keystore.location=" + File("server.pem"),
                           "authorizer.class.name="
                           "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                           "super.users=User:ANONYMOUS"},
        .client_protocol = "SASL_SSL"});
  }
  void Allow(std::vector<std::string> what) {
    what.insert(what.begin(), {"--bootstrap-server", server_->Brokers(), "--add",
                               "--allow-principal", "User:summa"});
    const test::RunResult result =
        KafkaServer::RunTool("org.apache.kafka.tools.AclCommand", std::move(what));
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  }
  // What doctor finds wrong, a line each.
  std::string Findings(KafkaBus& bus) {
    std::string lines;
    ExamineServers(bus, {{}, 1000, "User:summa"}, [&](const Finding& finding) {
      lines += finding.subject + ": " + finding.found + "\n";
    });
    return lines;
  }
  std::string File(const std::string& name) const { return directory_.Path() + "/" + name; }
  KafkaBusOptions Options(const std::string& password, const std::string& authority) const {
    KafkaBusOptions options;
    options.client.brokers = server_->SecureBrokers();
    options.client.request_timeout = milliseconds(10'000);
    options.client.security = {{"security.protocol", "sasl_ssl"},
                               {"sasl.mechanisms", "PLAIN"},
                               {"ssl.ca.location", File(authority + ".crt")}};
    options.client.login = std::make_shared<Login>("summa", password);
    options.topics.partitions = kPartitions;
    options.writer.publish_timeout = milliseconds(60'000);
    return options;
  }

  test::ServerDirectory directory_;
  std::optional<KafkaServer> server_;
  Events events_;
};

TEST_F(BusKafkaLogin, TheRightLoginWorksAndEachWrongOneIsNamed) {
  Start("server");
  Allow({"--operation", "All", "--topic", "*", "--group", "*"});
  {
    KafkaBus bus(Options("secret", "ca"), &events_);
    Batch batch;
    batch.Add("a", "1", "k").PublishOn(bus);
    EXPECT_EQ(batch.Outcomes(), std::vector<int>{SUMMA_BUS_CONFIRMED});
    const auto reader = bus.Subscribe("a", "g", "c", 0);
    EXPECT_EQ(reader->Poll(1, std::chrono::seconds(30)).size(), 1U);
  }
  KafkaBus wrong_password(Options("wrong", "ca"), &events_);
  EXPECT_EQ(CodeOf([&] { wrong_password.Ping(); }), "SH-0641");
  Batch batch;
  EXPECT_EQ(CodeOf([&] { batch.Add("a", "2", "k").PublishOn(wrong_password); }), "SH-0641");
  EXPECT_EQ(batch.Outcomes(), std::vector<int>{SUMMA_BUS_UNSENT});
  KafkaBus wrong_authority(Options("secret", "other"), &events_);
  EXPECT_EQ(CodeOf([&] { wrong_authority.Ping(); }), "SH-0642");
}

TEST_F(BusKafkaLogin, AnExpiredCertificateIsNamedAndNothingIsSent) {
  Start("expired");
  KafkaBusOptions options = Options("secret", "ca");
  options.writer.publish_timeout = milliseconds(5000);
  KafkaBus bus(std::move(options), &events_);
  std::string said;
  try {
    bus.Ping();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0642");
    said = error.what();
  }
  EXPECT_THAT(said, testing::HasSubstr("certificate has expired"));
  Batch batch;
  EXPECT_EQ(CodeOf([&] { batch.Add("a", "1", "k").PublishOn(bus); }), "SH-0642");
  EXPECT_EQ(batch.Outcomes(), std::vector<int>{SUMMA_BUS_UNSENT});
}

TEST_F(BusKafkaLogin, ARightThatLacksIsNamedByTheBusAndByDoctor) {
  Start("server");
  KafkaBusOptions everything;
  everything.client.brokers = server_->Brokers();
  everything.topics.partitions = kPartitions;
  KafkaBus owner(std::move(everything), &events_);
  Batch first;
  first.Add("a", "1", "k").PublishOn(owner);
  ASSERT_EQ(first.Outcomes(), std::vector<int>{SUMMA_BUS_CONFIRMED});
  Allow({"--operation", "Describe", "--topic", "a"});
  KafkaBus bus(Options("secret", "ca"), &events_);
  // ACLs take effect within moments.
  ASSERT_TRUE(BecomesTrue([&] { return bus.admin().AllTopics().contains("a"); }));
  // Without Write of any topic there is no producer at all.
  Batch none;
  EXPECT_EQ(CodeOf([&] { none.Add("a", "2", "k").PublishOn(bus); }), "SH-0643");
  EXPECT_EQ(none.Outcomes(), std::vector<int>{SUMMA_BUS_UNSENT});
  Allow({"--operation", "Write", "--topic", "b"});
  Batch second;
  second.Add("a", "2", "k");
  EXPECT_TRUE(BecomesTrue([&] {
    CodeOf([&] { second.PublishOn(bus); });
    return second.receipts[0].outcome == SUMMA_BUS_STREAM_FAULT;
  }));
  EXPECT_EQ(second.Outcomes(), std::vector<int>{SUMMA_BUS_STREAM_FAULT});
  EXPECT_THAT(second.receipts[0].error, testing::HasSubstr("SH-0643"));
  EXPECT_THAT(Findings(bus), testing::HasSubstr("reading of a: "));
  EXPECT_THAT(Findings(bus), testing::HasSubstr("ACLs: none are listed"));
  Allow({"--operation", "Read", "--topic", "a"});
  Allow({"--operation", "Describe", "--cluster"});
  std::string findings;
  EXPECT_TRUE(BecomesTrue([&] {
    findings = Findings(bus);
    return findings.find("ACLs of User:summa: no Write of topic a\n") != std::string::npos;
  })) << findings;
  EXPECT_THAT(findings, testing::Not(testing::HasSubstr("reading of a")));
}

}  // namespace
}  // namespace summa::bus_kafka
