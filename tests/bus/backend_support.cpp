#include "tests/bus/backend.hpp"

namespace summa::bus_test {

Messages& Messages::Add(const std::string& stream, const std::string& id, const std::string& key,
                        const std::string& payload) {
  summa_bus_message message{};
  message.stream = Keep(stream);
  message.id = Keep(id);
  message.type = Keep("type-of-" + stream);
  message.key = Keep(key);
  message.payload = Keep(payload);
  message.timestamp = Keep("2026-01-31T12:00:00.123456Z");
  message.position = SUMMA_BUS_NO_POSITION;
  messages_.push_back(message);
  return *this;
}

std::vector<int> Messages::Try(Bus& bus) {
  std::vector<summa_bus_receipt> receipts(messages_.size());
  bus.Publish(messages_, receipts);
  std::vector<int> outcomes;
  outcomes.reserve(receipts.size());
  for (const summa_bus_receipt& receipt : receipts) outcomes.push_back(receipt.outcome);
  return outcomes;
}

void Messages::Publish(Bus& bus) {
  std::vector<summa_bus_receipt> receipts(messages_.size());
  bus.Publish(messages_, receipts);
  for (const summa_bus_receipt& receipt : receipts) {
    ASSERT_EQ(receipt.outcome, SUMMA_BUS_CONFIRMED) << receipt.error;
  }
}

void BusContract::PublishNumbers(const std::string& stream, std::size_t from, std::size_t to) {
  Messages messages;
  for (const std::string& number : Numbers(from, to)) messages.Add(stream, number);
  messages.Publish(bus());
}

std::vector<std::string> Numbers(std::size_t from, std::size_t to) {
  std::vector<std::string> numbers;
  numbers.reserve(to - from);
  for (std::size_t i = from; i < to; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

}  // namespace summa::bus_test
