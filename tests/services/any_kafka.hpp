// A Kafka for tests that need no more than both have: a real one where Java and its jars are there
// (KafkaServer), otherwise the mock cluster of librdkafka in this process, which is said aloud.
#pragma once

#include <memory>
#include <string>

#include "tests/services/kafka_server.hpp"

struct rd_kafka_s;
struct rd_kafka_mock_cluster_s;

namespace summa::test {

// Main thread only.
class AnyKafka {
 public:
  // Topics of the mock cluster have so many partitions, and are there once somebody asks for them.
  static constexpr int kMockPartitions = 4;

  explicit AnyKafka(KafkaOptions options = {});
  ~AnyKafka();
  AnyKafka(const AnyKafka&) = delete;
  AnyKafka& operator=(const AnyKafka&) = delete;

  bool IsMock() const { return !server_; }
  std::string Brokers() const;
  static std::string Version() { return KafkaServer::kVersion; }  // of the real one
  // kill -9 of every node; what they hold stays.
  void Stop();
  // Until it serves.
  void Start();

 private:
  const int nodes_;
  std::unique_ptr<KafkaServer> server_;
  rd_kafka_s* client_ = nullptr;
  rd_kafka_mock_cluster_s* mock_ = nullptr;
};

}  // namespace summa::test
