// A real Kafka, one server for the whole program, and the mock cluster of librdkafka, one for each
// case.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <atomic>
#include <optional>
#include <summa/dead_letter_stream.hpp>

#include "plugins/bus-kafka/kafka_bus.hpp"
#include "tests/bus/backend.hpp"
#include "tests/services/kafka_server.hpp"

namespace summa::bus_test {
namespace {

constexpr int kPartitions = 4;  // of topics that the mock cluster makes

class Events final : public bus_kafka::BusEvents {
 public:
  void Lost(const bus_kafka::ReaderOptions&, std::size_t messages, const std::string&,
            const std::string&) override {
    lost += messages;
  }
  std::atomic<std::size_t> lost{0};
};

class AnyKafkaBackend : public Backend {
 public:
  Bus& bus() override { return *bus_; }
  // As a consumer does on a bus that keeps no dead letters.
  void AddDeadLetter(const std::string& stream, const std::string& id,
                     const std::string& group) override {
    summa_bus_message message{};
    message.stream = ToAbi(stream);
    message.id = ToAbi(id);
    message.position = SUMMA_BUS_NO_POSITION;
    DeadLetterStream(table_->table()).Add(message, "5-1", group, "no good", 3);
  }
  std::size_t Lost() override { return events_.lost; }

 protected:
  void Open(const std::string& brokers, const std::string& prefix,
            std::chrono::milliseconds request_timeout, std::chrono::milliseconds publish_timeout) {
    bus_kafka::KafkaBusOptions options;
    options.client.brokers = brokers;
    options.topic_prefix = prefix;
    options.topics.partitions = kPartitions;
    options.writer.publish_timeout = publish_timeout;
    options.client.request_timeout = request_timeout;
    bus_ = std::make_unique<bus_kafka::KafkaBus>(std::move(options), &events_);
    table_ = std::make_unique<detail::BusTable>(bus_.get());
  }
  bus_kafka::KafkaBus& kafka() { return *bus_; }
  std::string TopicOf(const std::string& stream) { return bus_->names().TopicOf(stream); }

 private:
  Events events_;
  std::unique_ptr<bus_kafka::KafkaBus> bus_;
  std::unique_ptr<detail::BusTable> table_;
};

class KafkaBackend final : public AnyKafkaBackend {
 public:
  KafkaBackend() {
    static int number = 0;
    Open(server().Brokers(), "t" + std::to_string(++number) + "-", std::chrono::seconds(30),
         std::chrono::seconds(60));
  }
  void RemoveOldest(const std::string& stream, std::size_t count) override {
    const std::string topic = TopicOf(stream);
    bus_kafka::PartitionList list = bus_kafka::MakePartitionList();
    const auto offsets = kafka().admin().OffsetsOf(topic, kPartitions);
    for (int i = 0; i < kPartitions; ++i) {
      const auto [low, high] = offsets[static_cast<std::size_t>(i)];
      const std::int64_t removed = std::min(high - low, static_cast<std::int64_t>(count));
      if (removed == 0) continue;
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), i)->offset = low + removed;
      count -= static_cast<std::size_t>(removed);
    }
    rd_kafka_DeleteRecords_t* records = rd_kafka_DeleteRecords_new(list.get());
    Ask([&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
      rd_kafka_DeleteRecords(client, &records, 1, nullptr, queue);
    });
    rd_kafka_DeleteRecords_destroy(records);
  }
  // Nobody may write to the topic, and everybody may do everything else with it.
  void SetFull(bool full) override {
    const std::string topic = TopicOf("a");
    std::array<char, 256> text{};
    if (!full) {
      rd_kafka_AclBindingFilter_t* all = rd_kafka_AclBindingFilter_new(
          RD_KAFKA_RESOURCE_TOPIC, topic.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL, nullptr,
          nullptr, RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, text.data(),
          text.size());
      Ask([&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
        rd_kafka_DeleteAcls(client, &all, 1, nullptr, queue);
      });
      return rd_kafka_AclBinding_destroy(all);
    }
    const auto rule = [&](rd_kafka_AclOperation_t operation,
                          rd_kafka_AclPermissionType_t permission) {
      return rd_kafka_AclBinding_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str(),
                                     RD_KAFKA_RESOURCE_PATTERN_LITERAL, "User:*", "*", operation,
                                     permission, text.data(), text.size());
    };
    std::array rules = {rule(RD_KAFKA_ACL_OPERATION_ALL, RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW),
                        rule(RD_KAFKA_ACL_OPERATION_WRITE, RD_KAFKA_ACL_PERMISSION_TYPE_DENY)};
    Ask([&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
      rd_kafka_CreateAcls(client, rules.data(), rules.size(), nullptr, queue);
    });
    for (rd_kafka_AclBinding_t* each : rules) rd_kafka_AclBinding_destroy(each);
  }
  // A topic that takes no message, however small.
  void BreakDeadLetters(const std::string& stream, bool broken) override {
    const std::string topic = TopicOf(stream) + ".dlq";
    if (!broken) {
      rd_kafka_DeleteTopic_t* gone = rd_kafka_DeleteTopic_new(topic.c_str());
      Ask([&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
        rd_kafka_DeleteTopics(client, &gone, 1, nullptr, queue);
      });
      rd_kafka_DeleteTopic_destroy(gone);
      return;
    }
    std::array<char, 256> text{};
    rd_kafka_NewTopic_t* fresh =
        rd_kafka_NewTopic_new(topic.c_str(), 1, 1, text.data(), text.size());
    rd_kafka_NewTopic_set_config(fresh, "max.message.bytes", "1");
    Ask([&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
      rd_kafka_CreateTopics(client, &fresh, 1, nullptr, queue);
    });
    rd_kafka_NewTopic_destroy(fresh);
  }
  bool RestartServer() override {
    server().Restart();
    return true;
  }

 private:
  static test::KafkaServer& server() {
    static test::KafkaServer server(
        {.nodes = 1,
         .extra_settings =
             {"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
              "allow.everyone.if.no.acl.found=true"},
         .client_protocol = {}});
    return server;
  }
  void Ask(const std::function<void(rd_kafka_t*, rd_kafka_queue_t*)>& request) {
    rd_kafka_t* client = kafka().admin().client()->get();
    const bus_kafka::Queue queue(rd_kafka_queue_new(client));
    request(client, queue.get());
    const bus_kafka::Event event(rd_kafka_queue_poll(queue.get(), 30'000));
    ASSERT_TRUE(event);
    ASSERT_EQ(rd_kafka_event_error(event.get()), RD_KAFKA_RESP_ERR_NO_ERROR)
        << rd_kafka_event_error_string(event.get());
  }
};

class KafkaMockBackend final : public AnyKafkaBackend {
 public:
  KafkaMockBackend() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    std::array<char, 256> text{};
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text.data(), text.size());
    cluster_ = rd_kafka_mock_cluster_new(client_, kBrokers);
    // Its groups take seconds to form.
    Open(rd_kafka_mock_cluster_bootstraps(cluster_), "", std::chrono::seconds(30),
         std::chrono::seconds(5));
  }
  ~KafkaMockBackend() override {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }
  KafkaMockBackend(const KafkaMockBackend&) = delete;
  KafkaMockBackend& operator=(const KafkaMockBackend&) = delete;
  std::string Lacks() const override {
    return "listing of groups, setting of places, places by time, deletion of messages, absence of "
           "a "
           "topic";
  }
  void RemoveOldest(const std::string&, std::size_t) override {}
  void SetFull(bool full) override {
    constexpr std::int16_t kProduce = 0;
    if (!full) return rd_kafka_mock_clear_request_errors(cluster_, kProduce);
    const std::vector<rd_kafka_resp_err_t> errors(10'000, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    rd_kafka_mock_push_request_errors_array(cluster_, kProduce, errors.size(), errors.data());
  }
  void BreakDeadLetters(const std::string& stream, bool broken) override {
    rd_kafka_mock_topic_set_error(
        cluster_, (stream + ".dlq").c_str(),
        broken ? RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED : RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  bool RestartServer() override {
    for (int i = 1; i <= kBrokers; ++i) rd_kafka_mock_broker_set_down(cluster_, i);
    for (int i = 1; i <= kBrokers; ++i) rd_kafka_mock_broker_set_up(cluster_, i);
    return true;
  }

 private:
  static constexpr int kBrokers = 3;
  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace

const std::vector<BackendKind>& BackendKinds() {
  static const std::vector<BackendKind> kinds = {
      {"Kafka",
       [](auto) -> std::unique_ptr<Backend> {
         if (!test::KafkaServer::Jars()) return nullptr;
         return std::make_unique<KafkaBackend>();
       }},
      {"KafkaMock", [](auto) { return std::make_unique<KafkaMockBackend>(); }}};
  return kinds;
}

}  // namespace summa::bus_test
