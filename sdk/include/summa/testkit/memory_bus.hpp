// A bus in memory for tests: keeps every message, and fails as it is told.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <summa/bus.hpp>
#include <summa/error.hpp>

namespace summa::testkit {

struct StoredMessage {
  std::string stream, id, type, key, payload, timestamp, correlation_id;
  std::int64_t position = SUMMA_BUS_NO_POSITION;
};

// Publishing and reading; no consumer groups. Thread-safe.
class MemoryBus final : public Bus {
 public:
  std::uint64_t MaxMessageBytes() const override { return max_message_bytes; }

  void Publish(std::span<const summa_bus_message> messages,
               std::span<summa_bus_receipt> receipts) override {
    const std::lock_guard lock(mutex_);
    ++publish_calls_;
    std::set<std::string> failed_streams;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const summa_bus_message& message = messages[i];
      receipts[i] = {SUMMA_BUS_UNSENT, ""};
      const std::string stream(FromAbi(message.stream));
      const int outcome = failed_streams.contains(stream) ? SUMMA_BUS_UNSENT : Outcome(message);
      receipts[i].outcome = outcome;
      if (outcome == SUMMA_BUS_CONFIRMED) {
        stored_.push_back({stream, std::string(FromAbi(message.id)),
                           std::string(FromAbi(message.type)), std::string(FromAbi(message.key)),
                           std::string(FromAbi(message.payload)),
                           std::string(FromAbi(message.timestamp)),
                           std::string(FromAbi(message.correlation_id)), message.position});
        continue;
      }
      failed_streams.insert(stream);
      if (outcome != SUMMA_BUS_UNSENT) detail::CopyText(receipts[i].error, "told to fail");
    }
    if (away) throw Error(SUMMA_E_UNAVAILABLE, "SH-0601", "the memory bus is away");
  }

  std::unique_ptr<Subscription> Subscribe(std::string_view, std::string_view,
                                          std::string_view) override {
    throw Error(SUMMA_E_NOT_FOUND, "", "the memory bus has no consumer groups");
  }
  void Ping() override {
    if (away) throw Error(SUMMA_E_UNAVAILABLE, "SH-0601", "the memory bus is away");
  }
  void Read(std::string_view, std::string_view, std::size_t,
            const std::function<bool(const summa_bus_delivery&)>&) override {}

  std::vector<StoredMessage> Stored() const {
    const std::lock_guard lock(mutex_);
    return stored_;
  }
  std::size_t publish_calls() const {
    const std::lock_guard lock(mutex_);
    return publish_calls_;
  }

  // Set before publishing, or between ticks of the same thread.
  std::uint64_t max_message_bytes = 1 << 20;
  bool away = false;
  // Decides the outcome of a message; CONFIRMED when empty.
  std::function<int(const summa_bus_message&)> decide;

 private:
  int Outcome(const summa_bus_message& message) const {
    if (away) return SUMMA_BUS_UNSENT;
    if (message.payload.size > max_message_bytes) return SUMMA_BUS_REFUSED;
    return decide ? decide(message) : SUMMA_BUS_CONFIRMED;
  }
  mutable std::mutex mutex_;
  std::vector<StoredMessage> stored_;
  std::size_t publish_calls_ = 0;
};

}  // namespace summa::testkit
