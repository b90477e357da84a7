#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"

namespace summa::test {

struct RedisClusterOptions {
  int masters = 3;
  int replicas = 0;  // of each master
  // How long a node must be silent until the others replace it.
  int node_timeout_milliseconds = 1000;
  std::vector<std::string> extra_arguments = {};
  // With the files of --tls-*: clients, replicas and nodes speak TLS to each other. This class
  // itself does not.
  std::vector<std::string> tls_arguments = {};
};

// A private Redis Cluster of real servers on 127.0.0.1 that append every write to a file. The
// constructor waits until every node says that the cluster is ok. Main thread only; the commands to
// it may come from any thread. Errors: std::runtime_error.
class RedisCluster {
 public:
  explicit RedisCluster(RedisClusterOptions options = {});

  // `redis://127.0.0.1:PORT,127.0.0.1:PORT,...`, of the masters at the beginning; rediss with TLS.
  std::string Url() const;
  // Masters first, as they were at the beginning; then the replicas.
  RedisServer& Node(std::size_t index) { return *nodes_.at(index); }
  std::size_t size() const { return nodes_.size(); }

  // At the node that takes it.
  RedisReply Command(const std::vector<std::string>& words) const;
  // At every node that is a master now.
  void OnMasters(const std::vector<std::string>& words) const;
  // The node that serves the slot of the key now.
  std::size_t MasterOf(const std::string& key) const;
  // Gives the slot of the key to another node, in the four steps that redis-cli takes. Each can be
  // taken alone.
  void BeginMove(const std::string& key, std::size_t to) const;
  void MoveKeys(const std::string& key, std::size_t to) const;
  void EndMove(const std::string& key, std::size_t to) const;
  void Move(const std::string& key, std::size_t to) const {
    BeginMove(key, to);
    MoveKeys(key, to);
    EndMove(key, to);
  }
  void Restart();
  void WaitUntilWhole() const;

 private:
  std::string IdOf(std::size_t index) const;
  long long SlotOf(const std::string& key) const;
  std::string PortOf(std::size_t index) const;  // for clients

  RedisClusterOptions options_;
  std::vector<int> tls_ports_;  // empty: no TLS
  std::vector<std::unique_ptr<RedisServer>> nodes_;
};

// A master, its replicas, and Sentinels that watch it under the name `mymaster`.
class RedisSentinels {
 public:
  struct Options {
    int replicas = 1;
    int sentinels = 3;
    // How long the master must be silent until it is replaced.
    int down_after_milliseconds = 700;
    std::string sentinel_password;  // empty: none
    std::vector<std::string> server_arguments = {};
    std::vector<std::string> tls_arguments = {};  // as of a cluster; also of the Sentinels
  };
  RedisSentinels() : RedisSentinels(Options{}) {}
  explicit RedisSentinels(Options options);

  // `redis+sentinel://127.0.0.1:PORT,.../mymaster`; rediss with TLS.
  std::string Url() const;
  RedisServer& Server(std::size_t index) { return *servers_.at(index); }
  Process& Sentinel(std::size_t index) { return *sentinels_.at(index); }
  // What the Sentinels say now: the index of the server.
  std::size_t Master() const;
  // This server is a replica that has what its master has.
  bool Follows(std::size_t index) const;

 private:
  RedisClient SentinelClient(std::size_t index) const;
  void StartSentinel();
  std::string PortOf(std::size_t index) const;  // of a server, for clients

  Options options_;
  std::vector<int> tls_ports_, sentinel_tls_ports_;  // empty: no TLS
  std::vector<std::unique_ptr<RedisServer>> servers_;
  std::vector<int> ports_;
  std::vector<std::unique_ptr<ServerDirectory>> directories_;
  std::vector<std::unique_ptr<Process>> sentinels_;
};

}  // namespace summa::test
