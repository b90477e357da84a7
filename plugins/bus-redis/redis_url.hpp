// Where Redis is and how to log in: read from the `url` of the configuration.
//
//   redis://[user[:password]@]host[:port][/database]      one server; redis://:password@host is a
//                                                         password alone
//   redis://[login@]host[:port],host[:port],...           a Redis Cluster: some of its nodes
//   redis+cluster://[login@]host[:port][,...]             a Redis Cluster, also with one host
//   redis+sentinel://[login@]host[:port][,...]/master[/database]
//                                                         the hosts are Sentinels, which know where
//                                                         the master of this name is
//   unix://[[user]:password@]/path/to/socket[?db=N]
//
// User and password may be percent-encoded. rediss:// and rediss+... are the same with TLS.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/bus-redis/login.hpp"

namespace summa::bus_redis {

inline constexpr int kDefaultRedisPort = 6379;
inline constexpr int kDefaultSentinelPort = 26379;
// Redis has 16 databases unless configured otherwise; the bound only catches slips.
inline constexpr int kMaximumDatabase = 1'000'000;

struct Endpoint {
  std::string host;
  int port = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): <=> is taken for a comparison with 0
  auto operator<=>(const Endpoint&) const = default;
  std::string ForPeople() const;  // "host:6379", "[::1]:6379"
};

enum class ServerKind { kSingle, kCluster, kSentinel };

struct RedisUrl {
  ServerKind kind = ServerKind::kSingle;
  std::string host;         // of the one server; empty for a unix socket, a cluster and Sentinel
  int port = 0;             // likewise 0
  std::string socket_path;  // empty for TCP
  std::string user;         // empty: the default user
  std::string password;     // empty: no login. Never printed.
  int database = 0;
  bool tls = false;
  std::vector<Endpoint> hosts;  // nodes of the cluster, or Sentinels, as configured
  std::string master_name;      // what the Sentinels call the master

  // The same login at one server: a node of the cluster, a Sentinel, a master.
  RedisUrl At(const Endpoint& endpoint) const;
  Login login() const { return {user, password}; }
  // Whether both lead to the same servers: they differ in user and password at most.
  bool SamePlace(const RedisUrl& other) const;
  // "redis://127.0.0.1:6379/0": for messages, without user and password.
  std::string ForPeople() const;
};

// Throws summa::Error with SUMMA_E_CONFIG and code SH-0606; its text never repeats the password.
RedisUrl ParseRedisUrl(std::string_view text);

}  // namespace summa::bus_redis
