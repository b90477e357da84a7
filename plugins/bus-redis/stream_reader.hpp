// Looks at streams without a group, for people and tests: nothing is acknowledged or changed.
//
// One thread at a time, with a connection of its own. Throws summa::Error as Connection does,
// SUMMA_E_NOT_FOUND SH-0607 for a stream that does not exist, what ThrowRefused() says for what
// Redis refuses, SUMMA_E_USAGE SH-0900 for an id of the wrong form.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <summa/bus.hpp>
#include <vector>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/message_fields.hpp"
#include "plugins/bus-redis/servers.hpp"

namespace summa::bus_redis {

// The latest messages are held in memory until the oldest of them is found.
inline constexpr std::size_t kMaximumLatest = 100'000;

class StreamReader {
 public:
  // Return false to stop.
  using OnMessage = std::function<bool(const summa_bus_delivery&)>;

  StreamReader(ConnectionOptions connection, KeyNaming names);

  // Oldest first. `after` empty: the latest `count` (at most kMaximumLatest); else the first
  // `count` behind that delivery id.
  void Read(std::string_view stream, std::string_view after, std::size_t count,
            const OnMessage& on_message);
  // The `count` first messages from `first_id` on ("-": from the beginning; "1700000000000" is a
  // time). Returns the id of the last one, or empty.
  std::string ReadFrom(std::string_view stream, std::string_view first_id, std::size_t count,
                       const OnMessage& on_message);
  // As summa.bus/1 says of scan() and horizon(): a stream that does not exist is an empty one.
  void Scan(const ScanOptions& options, const OnMessage& on_message);
  summa_bus_horizon Horizon(std::string_view stream);

 private:
  Reply Range(const std::string& key, std::string_view command, std::string_view from,
              std::string_view to, std::size_t count);
  void ReadLatest(std::string_view stream, std::size_t count, const OnMessage& on_message);
  void RequireStream(std::string_view stream);

  Servers servers_;
  const KeyNaming names_;
};

}  // namespace summa::bus_redis
