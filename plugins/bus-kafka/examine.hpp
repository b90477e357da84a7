// What of a Kafka would lose, stop or disorder messages: for `summa-host doctor`. Changes nothing.
#pragma once

#include <functional>
#include <string>
#include <summa/health.hpp>

#include "plugins/bus-kafka/kafka_bus.hpp"

namespace summa::bus_kafka {

struct ExamineOptions {
  TopicOptions topics;
  std::size_t max_message_bytes = 0;
  std::string principal;  // as ACLs name the user; empty: unknown
};

// Throws summa::Error when Kafka cannot be asked.
void ExamineServers(KafkaBus& bus, const ExamineOptions& options,
                    const std::function<void(const Finding&)>& report);

}  // namespace summa::bus_kafka
