// A consumer of any bus under test: what it told, and handlers that wait.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <summa/message_bus.hpp>

#include "tests/bus/backend.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::bus_test {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using test::BecomesTrue;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

inline constexpr microseconds kNoWait{0};

// What handlers and the consumer told, in the order in which it happened.
class Record final : public ConsumerEvents {
 public:
  void Handled(const ConsumedMessage& message) {
    const std::lock_guard lock(mutex_);
    ids_.emplace_back(message.id);
    by_key_[std::string(message.key)].emplace_back(message.id);
  }
  void DeadLettered(const ConsumedMessage& message, const std::string&) override {
    const std::lock_guard lock(mutex_);
    dead_.emplace_back(message.id);
  }
  void Failed(const ConsumedMessage&, const std::string&) override { ++failed; }
  void Away(const std::string&) override { ++away; }

  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return ids_.size();
  }
  std::vector<std::string> ids() const {
    const std::lock_guard lock(mutex_);
    return ids_;
  }
  std::vector<std::string> of_key(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? std::vector<std::string>{} : found->second;
  }
  std::vector<std::string> dead() const {
    const std::lock_guard lock(mutex_);
    return dead_;
  }
  std::atomic<int> away{0}, failed{0};

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> ids_, dead_;
  std::map<std::string, std::vector<std::string>> by_key_;
};

// Handlers wait at it until it is opened.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    opened_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  int waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
  int waiting_ = 0;
};

class Consume : public BusContract {
 protected:
  SubscribeOptions Options(std::function<void(const ConsumedMessage&)> handler) {
    SubscribeOptions options;
    options.topics = {"a"};
    options.group = "g";
    options.consumer = "c1";
    options.handler = std::move(handler);
    options.retry_base = milliseconds(5);
    options.retry_cap = milliseconds(20);
    options.poll_wait = milliseconds(100);
    options.events = &record_;
    return options;
  }
  std::function<void(const ConsumedMessage&)> Recording() {
    return [this](const ConsumedMessage& message) { record_.Handled(message); };
  }
  // Takes everything that is pending or new as a reader that never settles it.
  std::vector<std::string> TakeAndVanish(const std::string& consumer, std::uint32_t flags = 0,
                                         bool begin = false) {
    const auto reader = client().Subscribe("a", "g", consumer, flags);
    std::vector<std::string> ids;
    for (;;) {
      const auto deliveries = reader->Poll(100, kNoWait);
      if (deliveries.empty()) return ids;
      for (const auto& delivery : deliveries) {
        ids.emplace_back(FromAbi(delivery.message.id));
        std::uint8_t held = 0;
        if (begin && ids.size() == 1) {
          reader->Renew({&delivery.delivery_id, 1}, SUMMA_BUS_START_BEGINS, {&held, 1});
        }
      }
    }
  }
  // SUMMA_BUS_COUNT_STARTS where the bus can count.
  std::uint32_t StartsFlag() {
    return client().Can(SUMMA_BUS_COUNTS) ? std::uint32_t{SUMMA_BUS_COUNT_STARTS} : 0U;
  }
  struct Letter {
    std::string id, group, error;
    std::int64_t deliveries;
  };
  std::vector<Letter> Letters() {
    std::vector<Letter> letters;
    client().DeadLetters("a", "", [&](const summa_bus_dead_letter& letter) {
      letters.push_back({std::string(FromAbi(letter.message.id)),
                         std::string(FromAbi(letter.group)), std::string(FromAbi(letter.error)),
                         letter.deliveries});
      return true;
    });
    return letters;
  }
  Record record_;
};

}  // namespace summa::bus_test
