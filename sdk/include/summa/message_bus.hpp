// The bus as a plugin that consumes uses it: publish, subscribe, disconnect, ping.
#pragma once

#include <memory>
#include <mutex>
#include <summa/consumer.hpp>
#include <utility>
#include <vector>

namespace summa {

// The bus with everything that was subscribed through it. Any thread.
class MessageBus {
 public:
  explicit MessageBus(BusClient bus) : bus_(bus) {}

  // Ends with Consumer::Unsubscribe(), with the last pointer to it and Disconnect(), whichever is
  // first.
  std::shared_ptr<Consumer> Subscribe(SubscribeOptions options) {
    auto consumer = std::make_shared<Consumer>(bus_, std::move(options));
    const std::lock_guard lock(mutex_);
    std::erase_if(consumers_, [](const auto& known) { return known.expired(); });
    consumers_.push_back(consumer);
    return consumer;
  }
  void Disconnect() {
    std::vector<std::weak_ptr<Consumer>> consumers;
    {
      const std::lock_guard lock(mutex_);
      consumers.swap(consumers_);
    }
    for (const auto& known : consumers) {
      if (const auto consumer = known.lock()) consumer->Unsubscribe();
    }
  }
  void Ping() const { bus_.Ping(); }  // throws when the bus is away
  const BusClient& client() const { return bus_; }

 private:
  BusClient bus_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Consumer>> consumers_;
};

}  // namespace summa
