// The worker of the plugin: trimming streams.
#pragma once

#include <chrono>
#include <map>
#include <summa/bus_plugin.hpp>
#include <summa/health.hpp>
#include <summa/host.hpp>
#include <summa/mutex.hpp>
#include <summa/worker.hpp>
#include <vector>

#include "plugins/bus-redis/redis_bus.hpp"

namespace summa::bus_redis {

// The label `bus` of the metrics.
inline constexpr const char* kBusId = "bus-redis";

class StreamTrimmer final : public Worker {
 public:
  // Borrows the reporter.
  StreamTrimmer(Host host, BusReporter& reporter) : host_(host), reporter_(reporter) {}
  void Configure(RedisBus* bus, std::chrono::microseconds retention) {
    bus_ = bus;
    retention_ = retention;
  }
  // Also reports lag and pending messages of every group. A key that cannot be trimmed is named and
  // the others are; ends with an error when streams were refused.
  TickResult Run(const Tick& tick) override;
  // The keys that the last run left out. Any thread.
  std::vector<Finding> Warnings() const;

 private:
  void TrimOne(StreamAdmin& admin, const std::string& stream, TickResult& result);
  void Remember(const std::vector<LeftOut>& left_out);

  Host host_;
  BusReporter& reporter_;
  RedisBus* bus_ = nullptr;
  std::chrono::microseconds retention_{};
  mutable Mutex mutex_;
  std::map<std::string, LeftOut> left_out_ SUMMA_GUARDED_BY(mutex_);  // by key
};

}  // namespace summa::bus_redis
