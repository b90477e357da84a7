// What librdkafka counts about its clients, summed up by what the clients are for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <summa/mutex.hpp>

namespace summa::bus_kafka {

struct ClientStatistics {
  // Now: what waits within the client, and what it is connected to.
  std::int64_t queued_messages = 0, queued_bytes = 0, brokers_connected = 0;
  // The 99th percentile of the slowest broker since the statistics before.
  double round_trip_seconds = 0;
  // Requests since the client began.
  std::int64_t errors = 0, timeouts = 0, retries = 0;
};

// nullopt: it is not what librdkafka writes (its STATISTICS.md).
std::optional<ClientStatistics> ReadStatistics(std::string_view json);

// Of all clients. Thread-safe.
class StatisticsBook {
 public:
  // purpose: "publish" or "subscribe". The values of now are of all its clients; errors, timeouts
  // and retries are those that are new. Called under a lock of the book.
  using Tell = std::function<void(std::string_view purpose, const ClientStatistics& statistics)>;

  explicit StatisticsBook(Tell tell) : tell_(std::move(tell)) {}

  void Update(const void* client, std::string_view purpose, std::string_view json);
  void Forget(const void* client);

 private:
  struct Client {
    std::string purpose;
    ClientStatistics latest;
  };
  ClientStatistics Now(std::string_view purpose) const SUMMA_REQUIRES(mutex_);

  const Tell tell_;
  Mutex mutex_;
  std::map<const void*, Client> clients_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::bus_kafka
