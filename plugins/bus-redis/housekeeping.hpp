// The workers of the plugin: trimming streams, and forgetting what the inbox remembers.
#pragma once

#include <chrono>
#include <summa/host.hpp>
#include <summa/worker.hpp>

#include "plugins/bus-redis/redis_bus.hpp"

namespace summa::bus_redis {

class StreamTrimmer final : public Worker {
 public:
  explicit StreamTrimmer(Host host) : host_(host) {}
  void Configure(RedisBus* bus, std::chrono::microseconds retention) {
    bus_ = bus;
    retention_ = retention;
  }
  // Also reports lag and pending messages of every group.
  TickResult Run(const Tick& tick) override;

 private:
  void TrimOne(StreamAdmin& admin, const std::string& stream, TickResult& result);

  Host host_;
  RedisBus* bus_ = nullptr;
  std::chrono::microseconds retention_{};
};

class InboxCleaner final : public Worker {
 public:
  explicit InboxCleaner(Host host) : host_(host) {}
  void Configure(std::chrono::microseconds retention) { retention_ = retention; }
  TickResult Run(const Tick& tick) override;

 private:
  Host host_;
  std::chrono::microseconds retention_{};
};

}  // namespace summa::bus_redis
