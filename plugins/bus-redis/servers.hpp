// The connections of one user to the servers that hold its keys: one server, the master that
// Sentinels name, or the masters of a Redis Cluster.
//
// A command goes where its key is, and follows MOVED and ASK. What a server refuses is carried out
// nowhere, so a command that follows keeps its place in the order. One thread at a time. Throws
// summa::Error as Connection and ClusterMap do, and SUMMA_E_UNAVAILABLE SH-0624 for a key that is
// being moved for longer than the time of a command.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/bus-redis/cluster_map.hpp"
#include "plugins/bus-redis/connection.hpp"

namespace summa::bus_redis {

// Answers MOVED and ASK that are followed for one command: two masters that send it to each other
// are a cluster that is being changed, or broken.
inline constexpr int kMaximumRedirections = 8;

class Servers {
 public:
  using Words = std::span<const std::string_view>;

  explicit Servers(ConnectionOptions options);

  // Connected; stays valid until the next Command(), Transaction() or Tidy().
  Connection& Of(std::string_view key);
  // Of what holds this key, or of any server when there is no key.
  Reply Command(std::string_view key, std::initializer_list<std::string_view> words);
  Reply Command(std::string_view key, Words words, Connection::Deadline deadline);
  // All or none of the commands, whose keys are in the slot of `key`. An array, or the first error.
  Reply Transaction(std::string_view key, std::span<const std::vector<std::string_view>> commands);
  // For every server that holds keys.
  void ForEach(const std::function<void(Connection&)>& use);

  // Of a cluster: one of its masters is connected, or can be.
  bool AnyAnswers();

  // Where to go after an error of the server: null when it is no redirection. `asking`: ASKING goes
  // before the command.
  Connection* Follow(std::string_view server_text, Connection& from, bool& asking);
  // Forgets servers that hold nothing any more.
  void Tidy();
  bool cluster() const { return options_.cluster != nullptr; }
  Connection::Deadline CommandDeadline() const {
    return Connection::Clock::now() + options_.command_timeout;
  }
  const ConnectionOptions& options() const { return options_; }

 private:
  Endpoint Locate(std::string_view key);
  Connection& At(const Endpoint& endpoint);
  Reply Try(std::string_view key, Connection::Deadline deadline,
            const std::function<Reply(Connection&, bool asking)>& use);
  void Report(ConnectionEvent event, const std::string& reason);

  const ConnectionOptions options_;
  std::map<Endpoint, std::unique_ptr<Connection>> connections_;  // one server: an empty endpoint
  std::uint64_t tidied_version_ = 0;
  bool lost_ = false;  // no node said where a key is
};

// MULTI or EXEC is refused: the login lacks the right, or a proxy does not carry them.
[[noreturn]] void RefuseTransactions(Connection& connection, std::string_view reason);

}  // namespace summa::bus_redis
