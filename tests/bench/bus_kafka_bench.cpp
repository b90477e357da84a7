// What the bus costs above bare Kafka: the same messages published and consumed by bare librdkafka
// loops with the same settings and by the bus, in the same run, against the same server; and how
// long a message takes from publishing to its handler at a fixed rate.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <summa/json.hpp>
#include <thread>

#include "plugins/bus-kafka/kafka_bus.hpp"
#include "tests/bench/bus_load.hpp"
#include "tests/bench/report.hpp"
#include "tests/services/kafka_server.hpp"

namespace summa::bench {
namespace {

using bus_kafka::Client;
using bus_kafka::ClientOptions;

constexpr int kPartitions = 4;

void RequireOk(rd_kafka_resp_err_t error) {
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(error));
}

// Whoever relies on a message must be told of it, bare or not.
class Confirmations final : public bus_kafka::ClientEvents {
 public:
  void Delivered(const rd_kafka_message_t& message) override {
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) ++count;
  }
  std::size_t count = 0;
};

// What a bare loop does with a record: nothing, or what any user of the bus needs of it, which is one
// JSON object written and checked, or read again.
enum class Records { kAsTheyAre, kCoded };

// kAsTheyAre: the records that the bus would write, made before the clock starts.
double BarePublish(const std::string& brokers, const std::string& topic,
                   const std::vector<summa_bus_message>& messages, Records records) {
  bus_kafka::RecordEncoder encoder;
  std::vector<std::string> values(messages.size());
  const auto encode = [&](std::size_t i) { encoder.Encode(messages[i], values[i]); };
  if (records == Records::kAsTheyAre) {
    for (std::size_t i = 0; i < messages.size(); ++i) encode(i);
  }
  ClientOptions options;
  options.brokers = brokers;
  Confirmations confirmations;
  Client client(options, RD_KAFKA_PRODUCER,
                {{"enable.idempotence", "true"},
                 {"enable.gapless.guarantee", "true"},
                 {"acks", "all"},
                 {"message.timeout.ms", "0"},
                 {"compression.codec", "lz4"},
                 {"partitioner", "murmur2_random"},
                 {"queue.buffering.max.messages", "1000000"}},
                &confirmations);
  const bus_kafka::Topic handle(rd_kafka_topic_new(client.get(), topic.c_str(), nullptr));
  const Stopwatch watch;
  for (std::size_t from = 0; from < messages.size(); from += kBatch) {
    const std::size_t to = std::min(from + kBatch, messages.size());
    for (std::size_t i = from; i < to; ++i) {
      if (records == Records::kCoded) encode(i);
      const std::string_view key = FromAbi(messages[i].key);
      RequireOk(rd_kafka_producev(
          client.get(), RD_KAFKA_V_RKT(handle.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
          RD_KAFKA_V_VALUE(values[i].data(), values[i].size()),
          RD_KAFKA_V_KEY(key.data(), key.size()),
          RD_KAFKA_V_HEADERS(bus_kafka::MakeHeaders(messages[i])), RD_KAFKA_V_END));
    }
    RequireOk(rd_kafka_flush(client.get(), 60'000));
  }
  if (confirmations.count != messages.size()) throw std::runtime_error("not confirmed");
  return watch.Seconds();
}

double BareConsume(const std::string& brokers, const std::string& topic, std::size_t count,
                   Records records) {
  ClientOptions options;
  options.brokers = brokers;
  Client client(options, RD_KAFKA_CONSUMER,
                {{"group.id", (records == Records::kCoded ? "coded:" : "bare:") + topic},
                 {"enable.auto.offset.store", "false"},
                 {"auto.offset.reset", "earliest"},
                 {"partition.assignment.strategy", "cooperative-sticky"},
                 {"queued.max.messages.kbytes", "16384"}});
  const bus_kafka::PartitionList topics = bus_kafka::MakePartitionList(1);
  rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  rd_kafka_poll_set_consumer(client.get());
  bus_kafka::RecordDecoder decoder;
  std::size_t bytes = 0;  // so that it is not left out
  const Stopwatch watch;
  RequireOk(rd_kafka_subscribe(client.get(), topics.get()));
  for (std::size_t consumed = 0; consumed < count;) {
    const bus_kafka::Message message(rd_kafka_consumer_poll(client.get(), 10'000));
    if (!message) throw std::runtime_error("the topic ended early");
    RequireOk(message->err);
    if (records == Records::kCoded) {
      const bus_kafka::StoredRecord record(*message);
      decoder.Forget();
      bytes += decoder.Decode(record, topic).message.payload.size;
    }
    if (++consumed % kBatch == 0 || consumed == count) {
      const bus_kafka::PartitionList place = bus_kafka::MakePartitionList(1);
      rd_kafka_topic_partition_list_add(place.get(), topic.c_str(), message->partition)->offset =
          message->offset + 1;
      rd_kafka_offsets_store(client.get(), place.get());
    }
  }
  const double seconds = watch.Seconds();
  rd_kafka_consumer_close(client.get());
  if (records == Records::kCoded && bytes == 0) throw std::runtime_error("records without payload");
  return seconds;
}

// Milliseconds from publishing to the handler, of each message.
std::vector<double> Latencies(const BusClient& bus, long long rate, long long count) {
  using Clock = std::chrono::steady_clock;
  std::vector<Clock::time_point> sent(static_cast<std::size_t>(count));
  std::vector<double> latencies;
  std::mutex mutex;
  SubscribeOptions options;
  options.topics = {"latency"};
  options.group = "bus";
  options.consumer = "c";
  options.handler = [&](const ConsumedMessage& message) {
    const auto now = Clock::now();
    const std::chrono::duration<double, std::milli> took =
        now - sent.at(static_cast<std::size_t>(message.position));
    const std::lock_guard lock(mutex);
    latencies.push_back(took.count());
  };
  const std::vector<Texts> texts = MakeTexts(static_cast<std::size_t>(count), 1000, 250);
  std::vector<summa_bus_message> messages = MakeMessages(texts);
  for (summa_bus_message& message : messages) message.stream = ToAbi("latency");
  Consumer consumer(bus, options);
  std::this_thread::sleep_for(std::chrono::seconds(2));  // it joins its group
  const auto begin = Clock::now();
  // Ten milliseconds' worth of messages at a time, as the outbox finds them.
  const auto step = static_cast<std::size_t>(std::max(rate / 100, 1LL));
  for (std::size_t from = 0; from < messages.size(); from += step) {
    const std::size_t size = std::min(step, messages.size() - from);
    std::this_thread::sleep_until(
        begin + std::chrono::microseconds(1'000'000 * from / static_cast<std::size_t>(rate)));
    for (std::size_t i = from; i < from + size; ++i) sent[i] = Clock::now();
    std::vector<summa_bus_receipt> receipts(size);
    summa_error error = summa::detail::EmptyError();
    if (!bus.Publish({&messages[from], size}, receipts, &error)) {
      throw std::runtime_error(error.message);
    }
  }
  if (!consumer.Drain(std::chrono::minutes(1))) throw std::runtime_error("not handled");
  std::sort(latencies.begin(), latencies.end());
  return latencies;
}

struct Measured {
  // Messages per second.
  Series bare_publish, coded_publish, bus_publish, bare_consume, coded_consume, bus_consume;
};

int Run(int count, char** words) {
  const Options options(count, words,
                        "Publishing and consuming through bus-kafka against bare librdkafka loops.",
                        {{"messages", "300000", "messages published and consumed"},
                         {"keys", "10000", "keys they belong to"},
                         {"bytes", "250", "of a payload"},
                         {"concurrency", "10", "handlers of the consumer"},
                         {"rate", "1000", "messages a second, for the latency"},
                         {"repeat", "3", "how often each thing is measured"}});
  if (!test::KafkaServer::Jars()) {
    throw std::runtime_error("there is no Kafka: tests/services/kafka/fetch");
  }
  const std::vector<Texts> texts = MakeTexts(static_cast<std::size_t>(options.Number("messages")),
                                             static_cast<std::size_t>(options.Number("keys")),
                                             static_cast<std::size_t>(options.Number("bytes")));
  const std::vector<summa_bus_message> messages = MakeMessages(texts);
  const auto size = static_cast<double>(messages.size());
  test::KafkaServer server;
  bus_kafka::BusEvents events;
  Measured measured;
  std::vector<double> latencies;
  // The first round is for the server, which compiles its code while it runs.
  for (long long i = -1; i < options.Number("repeat"); ++i) {
    Say(i < 0 ? "to warm up" : "round " + std::to_string(i + 1));
    if (i == 0) measured = {};
    bus_kafka::KafkaBusOptions bus_options;
    bus_options.client.brokers = server.Brokers();
    bus_options.topic_prefix = "round" + std::to_string(i + 1) + "-";
    bus_options.topics.partitions = kPartitions;
    bus_kafka::KafkaBus bus(std::move(bus_options), &events);
    summa::detail::BusTable table(&bus);
    const BusClient client(table.table());
    const std::string bare = bus.names().TopicOf("bare"), coded = bus.names().TopicOf("coded");
    bus.admin().RequireTopic(bare, true);
    bus.admin().RequireTopic(coded, true);
    const std::function<void()> bare_publish = [&] {
      measured.bare_publish.Add(size /
                                BarePublish(server.Brokers(), bare, messages, Records::kAsTheyAre));
    };
    const std::function<void()> coded_publish = [&] {
      measured.coded_publish.Add(size /
                                 BarePublish(server.Brokers(), coded, messages, Records::kCoded));
    };
    const std::function<void()> bus_publish = [&] {
      measured.bus_publish.Add(size / BusPublish(client, messages));
    };
    // Whoever comes first finds a server that has just flushed what the round before wrote.
    for (const auto& publish : i % 2 == 0 ? std::array{bare_publish, coded_publish, bus_publish}
                                          : std::array{bus_publish, coded_publish, bare_publish}) {
      publish();
    }
    measured.bare_consume.Add(
        size / BareConsume(server.Brokers(), bare, messages.size(), Records::kAsTheyAre));
    measured.coded_consume.Add(
        size / BareConsume(server.Brokers(), bare, messages.size(), Records::kCoded));
    measured.bus_consume.Add(size / BusConsume(client, messages.size(),
                                               static_cast<int>(options.Number("concurrency"))));
    if (i == 0) latencies = Latencies(client, options.Number("rate"), 5 * options.Number("rate"));
  }
  const double publish = measured.bus_publish.Median() / measured.bare_publish.Median();
  const double consume = measured.bus_consume.Median() / measured.bare_consume.Median();
  const double p50 = latencies.at(latencies.size() / 2);
  const double p99 = latencies.at(latencies.size() * 99 / 100);
  if (options.Json()) {
    JsonWriter json;
    json.BeginObject().Member("benchmark", "bus-kafka").Member("machine", MachineText());
    json.Member("messages", options.Number("messages"));
    json.Member("barePublishPerSecond", measured.bare_publish.Median());
    json.Member("codedPublishPerSecond", measured.coded_publish.Median());
    json.Member("publishPerSecond", measured.bus_publish.Median());
    json.Member("publishRatio", publish);
    json.Member("bareConsumePerSecond", measured.bare_consume.Median());
    json.Member("codedConsumePerSecond", measured.coded_consume.Median());
    json.Member("consumePerSecond", measured.bus_consume.Median());
    json.Member("consumeRatio", consume);
    json.Member("latencyP50Ms", p50).Member("latencyP99Ms", p99).EndObject();
    std::cout << json.Take() << "\n";
    return 0;
  }
  const auto row = [](const std::string& name, const Series& series, const std::string& ratio,
                      const std::string& goal) {
    return std::vector<std::string>{name, Grouped(series.Median()),
                                    Grouped(series.Min()) + " - " + Grouped(series.Max()), ratio,
                                    goal};
  };
  std::cout << MachineText() << "\n\n";
  PrintTable(
      {{"messages/s", "median", "range", "ratio", "goal"},
       row("publish, bare librdkafka", measured.bare_publish, "", ""),
       row("publish, bare, records encoded in the loop", measured.coded_publish,
           Fixed(measured.coded_publish.Median() / measured.bare_publish.Median(), 2), ""),
       row("publish, bus-kafka", measured.bus_publish, Fixed(publish, 2), "0.80"),
       row("consume, bare librdkafka", measured.bare_consume, "", ""),
       row("consume, bare, records decoded in the loop", measured.coded_consume,
           Fixed(measured.coded_consume.Median() / measured.bare_consume.Median(), 2), ""),
       row("consume, handlers of a Consumer", measured.bus_consume, Fixed(consume, 2), "0.80")});
  std::cout << "\nlatency at " << options.Number("rate") << "/s: p50 " << Fixed(p50, 1)
            << " ms, p99 " << Fixed(p99, 1) << " ms (goal: p99 under 100 ms)\n";
  return 0;
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) { return summa::bench::Guarded(summa::bench::Run, count, words); }
