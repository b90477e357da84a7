// What the tests of bus-kafka against a real Kafka share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "plugins/bus-kafka/kafka_bus.hpp"
#include "tests/services/kafka_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::bus_kafka {
using std::chrono::milliseconds;
using test::BecomesTrue;
using test::KafkaServer;

inline constexpr int kPartitions = 4;

class Events final : public BusEvents {
 public:
  void Lost(const ReaderOptions&, std::size_t messages, const std::string&,
            const std::string&) override {
    lost += messages;
  }
  void BehindEnd(const ReaderOptions&, const std::string& place, std::int64_t end,
                 std::int64_t low) override {
    const MutexLock lock(mutex);
    behind_end.push_back(place + " " + std::to_string(end) + " " + std::to_string(low));
  }
  void Rebalanced(const ReaderOptions&) override { ++rebalances; }
  void Counted(std::string_view purpose, const ClientStatistics& statistics) override {
    auto& most = purpose == "publish" ? most_to_confirm : most_fetched;
    most = std::max(most.load(), statistics.queued_bytes);
    ++counted;
  }
  std::atomic<std::size_t> lost{0}, rebalances{0};
  // Within librdkafka, as its statistics say.
  std::atomic<std::int64_t> most_to_confirm{0}, most_fetched{0};
  std::atomic<int> counted{0};
  Mutex mutex;
  std::vector<std::string> behind_end SUMMA_GUARDED_BY(mutex);  // "PLACE END LOW"
};

// Owns the texts of messages.
class Batch {
 public:
  Batch& Add(const std::string& stream, const std::string& id, const std::string& key,
             const std::string& payload = "{}") {
    summa_bus_message message{};
    message.stream = Keep(stream);
    message.id = Keep(id);
    message.type = Keep("type");
    message.key = Keep(key);
    message.payload = Keep(payload);
    message.timestamp = Keep("2026-01-31T12:00:00.123456Z");
    message.position = SUMMA_BUS_NO_POSITION;
    messages.push_back(message);
    receipts.emplace_back();
    return *this;
  }
  void PublishOn(Bus& bus) { bus.Publish(messages, receipts); }
  std::vector<int> Outcomes() const {
    std::vector<int> outcomes;
    for (const summa_bus_receipt& receipt : receipts) outcomes.push_back(receipt.outcome);
    return outcomes;
  }
  std::vector<summa_bus_message> messages;
  std::vector<summa_bus_receipt> receipts;

 private:
  summa_str Keep(std::string text) { return ToAbi(texts_.emplace_back(std::move(text))); }
  std::deque<std::string> texts_;
};

inline std::string Incompressible(std::size_t size) {
  std::mt19937 random(1);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

inline std::vector<std::string> IdsOf(Bus& bus, const std::string& stream) {
  std::vector<std::string> ids;
  bus.Scan({stream, "", std::nullopt, 0}, [&](const summa_bus_delivery& delivery) {
    ids.emplace_back(FromAbi(delivery.message.id));
    return true;
  });
  return ids;
}

// Empty: nothing was thrown.
template <typename Call>
std::string CodeOf(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

// Publishes 0, 1, ... of each key, each again until it is confirmed, in the order of its key.
class Publisher {
 public:
  static constexpr int kKeys = 8;
  explicit Publisher(KafkaBus& bus) : bus_(bus), thread_([this] { Run(); }) {}
  ~Publisher() { End(); }
  void End() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int confirmed() const { return confirmed_; }
  bool GoesOn() const {
    return BecomesTrue([this, before = confirmed()] { return confirmed() > before + 300; });
  }
  int failed() const { return failed_; }  // batches, or more

 private:
  void Run() {
    std::array<int, kKeys> next{};
    while (!stop_) {
      Batch batch;
      for (int i = 0; i < 10; ++i) {
        for (int key = 0; key < kKeys; ++key) {
          const std::string name = "k" + std::to_string(key);
          batch.Add("a", name + "-" + std::to_string(next.at(static_cast<std::size_t>(key)) + i),
                    name);
        }
      }
      try {
        batch.PublishOn(bus_);
      } catch (const Error&) {
        ++failed_;
      }
      std::set<int> blocked;
      for (std::size_t i = 0; i < batch.messages.size(); ++i) {
        const int key = static_cast<int>(i) % kKeys;
        if (batch.receipts[i].outcome != SUMMA_BUS_CONFIRMED) blocked.insert(key);
        if (batch.receipts[i].outcome == SUMMA_BUS_STREAM_FAULT) ++failed_;
        if (blocked.contains(key)) continue;
        ++next.at(static_cast<std::size_t>(key));
        ++confirmed_;
      }
    }
  }

  KafkaBus& bus_;
  std::atomic<bool> stop_{false};
  std::atomic<int> confirmed_{0}, failed_{0};
  std::thread thread_;
};

// Of each key 0, 1, 2, ..., judged by the first occurrence of each.
inline void ExpectWholeAndInOrder(const std::vector<std::string>& ids, int at_least) {
  std::map<std::string, int> next;
  std::set<std::string> seen;
  for (const std::string& id : ids) {
    if (!seen.insert(id).second) continue;
    const std::size_t dash = id.find('-');
    EXPECT_EQ(std::stoi(id.substr(dash + 1)), next[id.substr(0, dash)]++) << id;
  }
  EXPECT_GE(seen.size(), static_cast<std::size_t>(at_least));
}

}  // namespace summa::bus_kafka
