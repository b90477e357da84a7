// What the benchmarks of buses have in common: messages, and the loops through a bus.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <summa/consumer.hpp>
#include <vector>

namespace summa::bench {

inline constexpr std::size_t kBatch = 1000;  // as the outbox publishes, and as a consumer reads

struct Texts {
  std::string id, key, payload;
};
std::vector<Texts> MakeTexts(std::size_t count, std::size_t keys, std::size_t payload_bytes);
// Borrows the texts.
std::vector<summa_bus_message> MakeMessages(const std::vector<Texts>& texts);

// Seconds. Both throw std::runtime_error when a message does not arrive.
double BusPublish(const BusClient& bus, const std::vector<summa_bus_message>& messages);
double BusConsume(const BusClient& bus, std::size_t count, int concurrency);

}  // namespace summa::bench
