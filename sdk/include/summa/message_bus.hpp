// The bus for a plugin that consumes: publish, subscribe, disconnect, ping.
#pragma once

#include <memory>
#include <summa/consumer.hpp>
#include <summa/mutex.hpp>
#include <utility>
#include <vector>

namespace summa {

// A bus and all subscriptions made through it. Any thread.
class MessageBus {
 public:
  explicit MessageBus(BusClient bus) : bus_(bus) {}

  // The subscription ends with Consumer::Unsubscribe(), with the last pointer to it, or with
  // Disconnect(), whichever comes first.
  std::shared_ptr<Consumer> Subscribe(SubscribeOptions options) {
    auto consumer = std::make_shared<Consumer>(bus_, std::move(options));
    const MutexLock lock(mutex_);
    std::erase_if(consumers_, [](const auto& known) { return known.expired(); });
    consumers_.push_back(consumer);
    return consumer;
  }
  void Disconnect() {
    std::vector<std::weak_ptr<Consumer>> consumers;
    {
      const MutexLock lock(mutex_);
      consumers.swap(consumers_);
    }
    for (const auto& known : consumers) {
      if (const auto consumer = known.lock()) consumer->Unsubscribe();
    }
  }
  void Ping() const { bus_.Ping(); }  // throws when the bus is unreachable
  const BusClient& client() const { return bus_; }

 private:
  BusClient bus_;
  Mutex mutex_;
  std::vector<std::weak_ptr<Consumer>> consumers_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa
