#include "tests/services/any_kafka.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <iostream>
#include <stdexcept>
#include <utility>

namespace summa::test {
namespace {

constexpr int kMockBrokers = 3;

}  // namespace

AnyKafka::AnyKafka(KafkaOptions options)
    : nodes_(KafkaServer::Jars() ? options.nodes : kMockBrokers) {
  if (KafkaServer::Jars()) {
    server_ = std::make_unique<KafkaServer>(std::move(options));
    return;
  }
  std::cout << "skipped: no real Kafka (tests/services/kafka/fetch); these cases run on the mock "
               "cluster of librdkafka\n";
  std::array<char, 256> text{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  // It has no server of its own, and would say so.
  rd_kafka_conf_set(conf, "log_level", "3", text.data(), text.size());
  client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text.data(), text.size());
  if (client_ == nullptr) throw std::runtime_error(std::string("librdkafka: ") + text.data());
  mock_ = rd_kafka_mock_cluster_new(client_, nodes_);
  if (mock_ == nullptr) throw std::runtime_error("librdkafka has no mock cluster");
}

AnyKafka::~AnyKafka() {
  if (mock_ != nullptr) rd_kafka_mock_cluster_destroy(mock_);
  if (client_ != nullptr) rd_kafka_destroy(client_);
}

std::string AnyKafka::Brokers() const {
  return server_ ? server_->Brokers() : rd_kafka_mock_cluster_bootstraps(mock_);
}

void AnyKafka::Stop() {
  for (int i = 0; i < nodes_; ++i) {
    if (server_) {
      server_->KillNine(i);
    } else {
      rd_kafka_mock_broker_set_down(mock_, i + 1);
    }
  }
}

void AnyKafka::Start() {
  for (int i = 0; i < nodes_; ++i) {
    if (server_) {
      server_->Start(i);
    } else {
      rd_kafka_mock_broker_set_up(mock_, i + 1);
    }
  }
  if (server_) server_->Await();
}

}  // namespace summa::test
