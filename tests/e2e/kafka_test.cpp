// The whole path with the real program and a real Kafka: a ledger in PostgreSQL, the outbox and
// bus-kafka plugins. What Kafka holds is read with Kafka's own console consumer.
#include <optional>
#include <sstream>
#include <utility>

#include "tests/e2e/outbox_support.hpp"
#include "tests/services/kafka_server.hpp"

namespace summa::test {
namespace {

constexpr int kPartitions = 4;

struct Consumed {
  int partition = 0;
  std::string headers, key, value;
};

// With the partition, the headers and the key of each message; in the order of each partition. The
// end of the topics is where nothing comes for a while, unless it is known how many messages they
// hold.
std::vector<Consumed> Consume(const std::string& brokers, const std::string& topics,
                              std::optional<std::size_t> messages = std::nullopt) {
  std::vector<std::string> arguments = {"--bootstrap-server",
                                        brokers,
                                        "--include",
                                        topics,
                                        "--from-beginning",
                                        "--timeout-ms",
                                        messages ? "180000" : "20000",
                                        "--formatter-property",
                                        "print.partition=true",
                                        "--formatter-property",
                                        "print.headers=true",
                                        "--formatter-property",
                                        "print.key=true"};
  if (messages) {
    arguments.insert(arguments.end(), {"--max-messages", std::to_string(*messages)});
  }
  const RunResult result =
      KafkaServer::RunTool("org.apache.kafka.tools.consumer.ConsoleConsumer", std::move(arguments));
  std::vector<Consumed> consumed;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream columns(line);
    Consumed each;
    std::string partition;
    std::getline(columns, partition, '\t');
    std::getline(columns, each.headers, '\t');
    std::getline(columns, each.key, '\t');
    std::getline(columns, each.value);
    if (!partition.starts_with("Partition:")) continue;
    each.partition = std::stoi(partition.substr(partition.find(':') + 1));
    consumed.push_back(std::move(each));
  }
  return consumed;
}

std::string Header(const std::string& headers, const std::string& name) {
  std::istringstream each(headers);
  for (std::string header; std::getline(each, header, ',');) {
    if (header.starts_with(name + ":")) return header.substr(name.size() + 1);
  }
  return "";
}

class OutboxToKafka : public Outbox {
 protected:
  static void SetUpTestSuite() {
    Outbox::SetUpTestSuite();
    if (KafkaServer::Jars()) kafka_ = new KafkaServer();
  }
  static void TearDownTestSuite() {
    Outbox::TearDownTestSuite();
    delete kafka_;
    kafka_ = nullptr;
  }
  void SetUp() override {
    Outbox::SetUp();
    if (kafka_ == nullptr)
      GTEST_SKIP() << "skipped: there is no Kafka (tests/services/kafka/fetch)";
  }
  std::string KafkaConfiguration(const std::string& prefix) const {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n" +
           "  bus-kafka: { brokers: \"" + kafka_->Brokers() + "\", topic_prefix: " + prefix +
           ", partitions: " + std::to_string(kPartitions) + " }\n" +
           "  outbox: { use: { bus: bus-kafka } }\n";
  }
  // Where the Java client puts these keys.
  std::map<std::string, int> ChosenByJava(const std::set<std::string>& keys) {
    const std::string topic = "java-" + name_;
    std::string input;
    for (const std::string& key : keys) input += key + "|{}\n";
    EXPECT_EQ(KafkaServer::RunTool("org.apache.kafka.tools.TopicCommand",
                                   {"--bootstrap-server", kafka_->Brokers(), "--create", "--topic",
                                    topic, "--partitions", std::to_string(kPartitions)})
                  .exit_code,
              0);
    EXPECT_EQ(KafkaServer::RunTool(
                  "org.apache.kafka.tools.ConsoleProducer",
                  {"--bootstrap-server", kafka_->Brokers(), "--topic", topic, "--reader-property",
                   "parse.key=true", "--reader-property", "key.separator=|"},
                  input)
                  .exit_code,
              0);
    std::map<std::string, int> chosen;
    for (const Consumed& each : Consume(kafka_->Brokers(), topic, keys.size())) {
      chosen[each.key] = each.partition;
    }
    return chosen;
  }

  static inline KafkaServer* kafka_ = nullptr;
};

TEST_F(OutboxToKafka, ADatabaseMadeBySummaItselfIsDeliveredCompleteAndInOrder) {
  if (!UseSummasOwn())
    GTEST_SKIP() << "skipped: ../shared is absent, so there is no database made by Summa";
  const std::set<std::string> pending = Pending();
  const RunResult result = Once(KafkaConfiguration("own-"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(JsonMember(result.out, "ok"), "true");

  std::vector<Received> received;
  std::map<std::string, std::set<int>> partitions;
  std::set<std::string> keys;
  for (const Consumed& each : Consume(kafka_->Brokers(), "own-.*")) {
    const std::string type = Header(each.headers, "type");
    const std::string id = Header(each.headers, "id");
    received.push_back({type, id, each.key, Header(each.headers, "position"), "", "", "", type});
    EXPECT_EQ(JsonMember(each.value, "id"), id);
    EXPECT_EQ(JsonMember(each.value, "type"), type);
    EXPECT_EQ(JsonMember(each.value, "key"), each.key);
    EXPECT_TRUE(JsonMember(each.value, "payload").value_or("").starts_with("{")) << each.value;
    partitions[each.key].insert(each.partition);
    keys.insert(each.key);
  }
  EXPECT_EQ(received.size(), pending.size());
  EXPECT_EQ(Ids(received), pending);
  ExpectOrder(received);
  ExpectMarkedAsTheContractSays(pending);

  const std::map<std::string, int> java = ChosenByJava(keys);
  ASSERT_EQ(java.size(), keys.size());
  for (const auto& [key, found] : partitions) {
    EXPECT_EQ(found, std::set<int>{java.at(key)}) << key;
  }

  const TemporaryFile file("summa.yaml", KafkaConfiguration("own-"));
  const RunResult verified = SummaHost({"outbox", "verify", "-c", file.Path(), "--output", "json"});
  EXPECT_NE(verified.out.find("\"missing\":[]"), std::string::npos) << verified.out << verified.err;
  const RunResult doctor = SummaHost({"doctor", "-c", file.Path(), "--output", "json"});
  EXPECT_NE(doctor.out.find("replicas of own-"), std::string::npos) << doctor.out << doctor.err;
  const RunResult second = Once(KafkaConfiguration("own-"));
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_NE(second.out.find("\"delivered\":0"), std::string::npos) << second.out;
}

// The second bus gets every row under load; then it is the only one.
TEST_F(OutboxToKafka, AHostMovesFromRedisToKafkaUnderLoadAndLosesNothing) {
  url_ = InstallLedger(*server_, name_);
  TrafficGenerator traffic(url_, {.connections = 2, .accounts = 25, .rate = 200});
  traffic.Start();
  const std::string kafka = "  bus-kafka: { brokers: \"" + kafka_->Brokers() +
                            "\", topic_prefix: moved-, partitions: " + std::to_string(kPartitions) +
                            ", options: { statistics.interval.ms: \"200\" } }\n";
  const std::string begin = "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
                            "host: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n" + kafka;
  const std::string redis = "  bus-redis: { url: \"" + redis_.Url() + "\" }\n";
  const auto delivered_while = [&](const std::string& configuration, bool verify) {
    const TemporaryFile file("summa.yaml", configuration);
    RunningHost host({"-c", file.Path()});
    host.StatusWhen("running");
    const auto now = traffic.Committed();
    WaitUntil([&] { return traffic.Committed() >= now + 200; }, kTimeout, "operations");
    const auto rows = Db(url_).Count("SELECT count(*) FROM outbox");
    WaitUntil(
        [&] {
          return Db(url_).Count("SELECT count(*) FROM outbox WHERE processed_at IS NOT NULL") >=
                 rows;
        },
        kTimeout, "the delivery of these rows");
    if (!verify) return;
    for (const char* name :
         {"brokers_connected", "queued_bytes", "queued_messages", "round_trip_seconds"}) {
      const std::string metric = "summa_bus_kafka_" + std::string(name) + "{purpose=\"publish\"} ";
      EXPECT_TRUE(BecomesTrue([&] {
        return HttpGet(host.Port(), "/metrics").body.find(metric) != std::string::npos;
      })) << metric;
    }
    // Under load, and of both buses where there are two.
    const RunResult verified =
        SummaHost({"outbox", "verify", "-c", file.Path(), "--output", "json"});
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
    EXPECT_NE(verified.out.find("\"missing\":[]"), std::string::npos) << verified.out;
    EXPECT_GT(std::stoll(JsonMember(verified.out, "checked").value_or("0")), 0) << verified.out;
  };
  delivered_while(begin + redis + "  outbox: { use: { bus: bus-redis } }\n", false);
  const auto before = Db(url_).Column("SELECT id FROM outbox WHERE processed_at IS NOT NULL");
  delivered_while(begin + redis + "  outbox: { use: { bus: bus-redis, second_bus: bus-kafka } }\n",
                  true);
  delivered_while(begin + "  outbox: { use: { bus: bus-kafka } }\n", true);
  traffic.Stop();
  EXPECT_EQ(Once(begin + "  outbox: { use: { bus: bus-kafka } }\n").exit_code, 0);
  EXPECT_TRUE(Pending().empty());

  std::vector<Received> received;
  for (const Consumed& each : Consume(kafka_->Brokers(), "moved-.*")) {
    const std::string type = Header(each.headers, "type");
    received.push_back({type, Header(each.headers, "id"), each.key,
                        Header(each.headers, "position"), "", "", "", type});
  }
  ExpectOrder(received);
  std::set<std::string> missing;
  for (const std::string& id : Db(url_).Column("SELECT id FROM outbox")) missing.insert(id);
  for (const std::string& id : before) missing.erase(id);  // Redis alone had to have them
  for (const Received& each : received) missing.erase(each.id);
  EXPECT_TRUE(missing.empty()) << missing.size() << " rows are not in Kafka, of which "
                               << received.size() << " were read";
}

}  // namespace
}  // namespace summa::test
