// A consumer of librdkafka with a group over all topics.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/demo/message_source.hpp"

namespace summa::demo {
namespace {

constexpr int kWaitMilliseconds = 200;  // for news: how soon the end is noticed
constexpr int kAnswerMilliseconds = 60'000;
constexpr std::size_t kReadCount = 500;

template <auto kDestroy>
struct Destroy {
  template <typename T>
  void operator()(T* object) const {
    kDestroy(object);
  }
};
using Client = std::unique_ptr<rd_kafka_t, Destroy<rd_kafka_destroy>>;
using Partitions = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                   Destroy<rd_kafka_topic_partition_list_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Destroy<rd_kafka_queue_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Destroy<rd_kafka_event_destroy>>;
using Record = std::unique_ptr<rd_kafka_message_t, Destroy<rd_kafka_message_destroy>>;

void Check(rd_kafka_resp_err_t error, const char* what) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  throw std::runtime_error(std::string("the consumer lost Kafka at ") + what + ": " +
                           rd_kafka_err2str(error));
}

Client MakeClient(const std::string& brokers) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char text[256] = "";
  const std::pair<const char*, const char*> settings[] = {
      {"bootstrap.servers", brokers.c_str()},
      {"group.id", kGroup},
      {"auto.offset.reset", "earliest"},
      // What is not published yet is found soon.
      {"topic.metadata.refresh.interval.ms", "1000"},
      {"fetch.wait.max.ms", "100"}};
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      throw std::runtime_error(text);
    }
  }
  Client client(rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text));
  if (!client) throw std::runtime_error(text);
  rd_kafka_poll_set_consumer(client.get());
  return client;
}

std::string_view Header(const rd_kafka_headers_t* headers, const char* name) {
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return {};
  }
  return {static_cast<const char*>(value), size};
}

class KafkaSource final : public MessageSource {
 public:
  KafkaSource(std::string brokers, int partitions, bool is_mock)
      : partitions_(partitions), is_mock_(is_mock), client_(MakeClient(brokers)) {}
  ~KafkaSource() override { rd_kafka_consumer_close(client_.get()); }
  KafkaSource(const KafkaSource&) = delete;
  KafkaSource& operator=(const KafkaSource&) = delete;

  void MakeGroup() override {
    if (!is_mock_) MakeTopics();
    const Partitions topics(rd_kafka_topic_partition_list_new(kTopics.size()));
    for (const char* topic : kTopics) {
      rd_kafka_topic_partition_list_add(topics.get(), topic, RD_KAFKA_PARTITION_UA);
    }
    Check(rd_kafka_subscribe(client_.get(), topics.get()), "subscribe");
  }

  long long Read(const std::function<void(const Message&)>& take) override {
    int wait = kWaitMilliseconds;
    std::size_t count = 0;
    for (; count < kReadCount; wait = 0) {
      const Record record(rd_kafka_consumer_poll(client_.get(), wait));
      if (!record) break;
      if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        Take(*record, take);
        ++count;
      } else if (record->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        Check(record->err, "poll");
      }
    }
    return static_cast<long long>(count);
  }

  HeldMessages Held() override {
    const auto committed = rd_kafka_commit(client_.get(), nullptr, 0);
    if (committed != RD_KAFKA_RESP_ERR__NO_OFFSET) Check(committed, "commit");
    const Partitions places(rd_kafka_topic_partition_list_new(16));
    for (const char* topic : kTopics) {
      for (int i = 0; i < partitions_; ++i) {
        rd_kafka_topic_partition_list_add(places.get(), topic, i);
      }
    }
    Check(rd_kafka_committed(client_.get(), places.get(), kAnswerMilliseconds), "committed");
    HeldMessages held;
    for (int i = 0; i < places->cnt; ++i) {
      const rd_kafka_topic_partition_t& place = places->elems[i];
      std::int64_t low = 0, high = 0;
      Check(rd_kafka_query_watermark_offsets(client_.get(), place.topic, place.partition, &low,
                                             &high, kAnswerMilliseconds),
            "watermarks");
      held.messages += high - low;
      held.unacknowledged += high - std::max(place.offset, low);
    }
    return held;
  }

 private:
  // The consumer is there before the first message, so it makes them, as the host would.
  void MakeTopics() {
    std::vector<rd_kafka_NewTopic_t*> topics;
    char text[256] = "";
    for (const char* topic : kTopics) {
      topics.push_back(rd_kafka_NewTopic_new(topic, partitions_, 1, text, sizeof text));
      rd_kafka_NewTopic_set_config(topics.back(), "message.timestamp.type", "LogAppendTime");
    }
    const Queue queue(rd_kafka_queue_new(client_.get()));
    rd_kafka_CreateTopics(client_.get(), topics.data(), topics.size(), nullptr, queue.get());
    const Event made(rd_kafka_queue_poll(queue.get(), kAnswerMilliseconds));
    rd_kafka_NewTopic_destroy_array(topics.data(), topics.size());
    Check(made ? rd_kafka_event_error(made.get()) : RD_KAFKA_RESP_ERR__TIMED_OUT, "CreateTopics");
  }

  static void Take(const rd_kafka_message_t& record,
                   const std::function<void(const Message&)>& take) {
    Message message;
    message.unix_microseconds = NowMicroseconds();
    message.topic = TopicNumber(rd_kafka_topic_name(record.rkt));
    message.key = {static_cast<const char*>(record.key), record.key_len};
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&record, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      message.id = Header(headers, "id");
      message.type = Header(headers, "type");
      message.position = Header(headers, "position");
    }
    take(message);
  }

  const int partitions_;
  const bool is_mock_;
  const Client client_;
};

}  // namespace

std::unique_ptr<MessageSource> ReadKafka(std::string brokers, int partitions, bool is_mock) {
  return std::make_unique<KafkaSource>(std::move(brokers), partitions, is_mock);
}

}  // namespace summa::demo
