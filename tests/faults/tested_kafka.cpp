// Read through bus-kafka itself, whose scans keep the order of each partition. What an independent
// client reads is compared in tests/e2e/kafka_test.cpp.
#include <librdkafka/rdkafka.h>

#include <memory>
#include <summa/bus.hpp>
#include <summa/dead_letter_stream.hpp>

#include "plugins/bus-kafka/kafka_bus.hpp"
#include "tests/faults/scenario.hpp"
#include "tests/services/any_kafka.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

std::string Prefix(const World& world) { return world.key_prefix + "-"; }

// The bus of the latest world that was asked for: each round looks at its own many times.
class Reader {
 public:
  explicit Reader(const World& world)
      : prefix_(Prefix(world)), bus_(Options(world), &events_), table_(&bus_) {}

  static Reader& Of(const World& world) {
    static std::unique_ptr<Reader> reader;
    if (!reader || reader->prefix_ != Prefix(world)) {
      reader.reset();
      reader = std::make_unique<Reader>(world);
    }
    return *reader;
  }
  bus_kafka::KafkaBus& bus() { return bus_; }
  BusClient client() { return BusClient(table_.table()); }

 private:
  static bus_kafka::KafkaBusOptions Options(const World& world) {
    bus_kafka::KafkaBusOptions options;
    options.client.brokers = world.kafka_brokers;
    options.client.request_timeout = std::chrono::seconds(60);
    options.topics.create = false;
    options.topics.partitions = AnyKafka::kMockPartitions;
    options.topic_prefix = Prefix(world);
    return options;
  }

  const std::string prefix_;
  bus_kafka::BusEvents events_;
  bus_kafka::KafkaBus bus_;
  summa::detail::BusTable table_;
};

class Sizes final : public BusVisitor {
 public:
  bool Stream(const summa_bus_stream& stream) override {
    messages[std::string(FromAbi(stream.name))] = stream.messages;
    return true;
  }
  std::map<std::string, std::int64_t> messages;
};

// A topic that was made a moment ago, or whose broker has just come back, may have no leader yet.
std::map<std::string, std::int64_t> Streams(const World& world) {
  Sizes sizes;
  const auto ask = [&] {
    try {
      Reader::Of(world).bus().Streams("", sizes);
      return true;
    } catch (const Error& error) {
      if (error.status() != SUMMA_E_UNAVAILABLE) throw;
      return false;
    }
  };
  WaitUntil(ask, kTimeout, "the streams of Kafka");
  return sizes.messages;
}

std::vector<DeliveredMessage> Messages(const World& world) {
  std::vector<DeliveredMessage> all;
  for (const auto& [stream, size] : Streams(world)) {
    if (stream.ends_with(DeadLetterStream::kSuffix)) continue;
    const auto note = [&, name = stream](const summa_bus_delivery& delivery) {
      const summa_bus_message& message = delivery.message;
      all.push_back(
          {name, std::string(FromAbi(message.id)), std::string(FromAbi(message.type)),
           std::string(FromAbi(message.key)),
           message.position == SUMMA_BUS_NO_POSITION ? "" : std::to_string(message.position),
           std::string(FromAbi(message.payload))});
      return true;
    };
    Reader::Of(world).bus().Scan({stream, "", std::nullopt, 0}, note);
  }
  return all;
}

long long CountDeadLetters(const World& world) {
  const auto sizes = Streams(world);
  const auto letters = sizes.find("ledger" + std::string(DeadLetterStream::kSuffix));
  return letters == sizes.end() ? 0 : letters->second;
}

std::map<std::string, std::string> DeadLetters(const World& world) {
  std::map<std::string, std::string> letters;
  if (CountDeadLetters(world) == 0) return letters;
  Reader::Of(world).client().DeadLetters("ledger", "", [&](const summa_bus_dead_letter& letter) {
    letters[std::string(FromAbi(letter.message.id))] = FromAbi(letter.error);
    return true;
  });
  return letters;
}

// A node has room for some thousand partitions, and there are many rounds.
void DeleteTopics(const World& world) {
  if (world.kafka_is_mock) return;
  bus_kafka::KafkaBus& bus = Reader::Of(world).bus();
  std::vector<rd_kafka_DeleteTopic_t*> topics;
  for (const auto& [stream, size] : Streams(world)) {
    topics.push_back(rd_kafka_DeleteTopic_new(bus.names().TopicOf(stream).c_str()));
  }
  if (topics.empty()) return;
  rd_kafka_t* client = bus.admin().client()->get();
  const bus_kafka::Queue queue(rd_kafka_queue_new(client));
  rd_kafka_DeleteTopics(client, topics.data(), topics.size(), nullptr, queue.get());
  const bus_kafka::Event done(rd_kafka_queue_poll(queue.get(), 60'000));
  rd_kafka_DeleteTopic_destroy_array(topics.data(), topics.size());
}

}  // namespace

TestedBus OnKafka() {
  TestedBus bus;
  bus.name = "kafka";
  bus.plugin = "bus-kafka";
  bus.points = "kafka.";
  bus.kafka = true;
  // A killed reader is missed for no longer than a session; a static member is not missed at all.
  // The mock cluster knows no static members, and forms a group for longer than a short session.
  bus.plugin_yaml = [](const World& world) {
    return "bus-kafka: { brokers: \"" + world.kafka_brokers + "\", topic_prefix: " + Prefix(world) +
           ", group_prefix: " + Prefix(world) +
           ", partitions: " + std::to_string(AnyKafka::kMockPartitions) +
           ", publish_timeout: 5s, commit_interval: 100ms, " +
           (world.kafka_is_mock ? "session_timeout: 10s"
                                : "session_timeout: 2s, static_members: true") +
           " }";
  };
  bus.messages = Messages;
  bus.dead_letters = DeadLetters;
  bus.count_dead_letters = CountDeadLetters;
  bus.clean_up = DeleteTopics;
  return bus;
}

}  // namespace summa::test
