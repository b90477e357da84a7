#include "tests/bench/bus_load.hpp"

#include <algorithm>
#include <stdexcept>

#include "tests/bench/report.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::bench {

std::vector<Texts> MakeTexts(std::size_t count, std::size_t keys, std::size_t payload_bytes) {
  std::vector<Texts> texts(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    texts[i].id = "01900000-0000-7000-8000-" + std::string(12 - number.size(), '0') + number;
    texts[i].key = "account-" + std::to_string(i * 7919 % keys);
    texts[i].payload = R"({"accountId":")" + texts[i].key + R"(","amount":1,"reference":")";
    const std::size_t fill = payload_bytes > texts[i].payload.size() + 2
                                 ? payload_bytes - texts[i].payload.size() - 2
                                 : 0;
    texts[i].payload += std::string(fill, 'x') + "\"}";
  }
  return texts;
}

std::vector<summa_bus_message> MakeMessages(const std::vector<Texts>& texts) {
  std::vector<summa_bus_message> messages(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    messages[i] = {ToAbi("bus"),
                   ToAbi(texts[i].id),
                   ToAbi("bench"),
                   ToAbi(texts[i].key),
                   ToAbi(texts[i].payload),
                   ToAbi("2026-01-31T12:00:00.123456Z"),
                   ToAbi(""),
                   static_cast<std::int64_t>(i),
                   ToAbi(""),
                   ToAbi("")};
  }
  return messages;
}

double BusPublish(const BusClient& bus, const std::vector<summa_bus_message>& messages) {
  std::vector<summa_bus_receipt> receipts(kBatch);
  summa_error error = summa::detail::EmptyError();
  const Stopwatch watch;
  for (std::size_t from = 0; from < messages.size(); from += kBatch) {
    const std::size_t count = std::min(kBatch, messages.size() - from);
    if (!bus.Publish({&messages[from], count}, {receipts.data(), count}, &error)) {
      throw std::runtime_error(error.message);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (receipts[i].outcome != SUMMA_BUS_CONFIRMED) throw std::runtime_error(receipts[i].error);
    }
  }
  return watch.Seconds();
}

double BusConsume(const BusClient& bus, std::size_t count, int concurrency) {
  std::atomic<std::size_t> handled{0};
  std::atomic<std::size_t> bytes{0};
  SubscribeOptions options;
  options.topics = {"bus"};
  options.group = "bus";
  options.consumer = "c";
  options.concurrency = concurrency;
  options.handler = [&](const ConsumedMessage& message) {
    bytes.fetch_add(message.payload.size(), std::memory_order_relaxed);
    handled.fetch_add(1, std::memory_order_relaxed);
  };
  // A poll that finds nothing any more is no part of the work, and Drain() waits for it.
  options.poll_wait = std::chrono::milliseconds(10);
  const Stopwatch watch;
  Consumer consumer(bus, options);
  test::WaitUntil([&] { return handled == count; }, std::chrono::minutes(10), "all messages");
  // Acknowledged, too.
  if (!consumer.Drain(std::chrono::minutes(1))) throw std::runtime_error("not acknowledged");
  return watch.Seconds();
}

}  // namespace summa::bench
