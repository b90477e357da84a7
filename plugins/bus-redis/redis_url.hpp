// Where a Redis server is and how to log in: read from the `url` of the configuration.
//
//   redis://[user[:password]@]host[:port][/database]      redis://:password@host is a password
//   alone unix://[[user]:password@]/path/to/socket[?db=N]
//
// User and password may be percent-encoded. rediss:// is redis:// with TLS.
#pragma once

#include <string>
#include <string_view>

namespace summa::bus_redis {

inline constexpr int kDefaultRedisPort = 6379;
// Redis has 16 databases unless configured otherwise; the bound only catches slips.
inline constexpr int kMaximumDatabase = 1'000'000;

struct RedisUrl {
  std::string host;         // empty for a unix socket
  int port = 0;             // 0 for a unix socket
  std::string socket_path;  // empty for TCP
  std::string user;         // empty: the default user
  std::string password;     // empty: no login. Never printed.
  int database = 0;
  bool tls = false;

  // "redis://127.0.0.1:6379/0": for messages, without user and password.
  std::string ForPeople() const;
};

// Throws summa::Error with SUMMA_E_CONFIG and code SH-0606; its text never repeats the password.
RedisUrl ParseRedisUrl(std::string_view text);

}  // namespace summa::bus_redis
