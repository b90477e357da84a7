// Which master of a Redis Cluster serves which slot, as its nodes said last.
//
// Asked of one node (CLUSTER SLOTS) when nothing is known yet, when a node said MOVED, or when one
// was lost; the nodes that answered last come first, then those of the configuration. Shared by all
// connections of a bus. Thread-safe. Throws summa::Error: SUMMA_E_UNAVAILABLE with SH-0623 when no
// node answers or a slot has no master, else as Connection does.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <summa/mutex.hpp>
#include <utility>
#include <vector>

#include "plugins/bus-redis/connection.hpp"

namespace summa::bus_redis {

class ClusterMap {
 public:
  // Of a url whose kind is kCluster.
  explicit ClusterMap(ConnectionOptions connection);

  Endpoint MasterOf(int slot);
  std::vector<Endpoint> Masters();  // each once, sorted
  // A node said that the slot is at another one.
  void Moved(int slot, const Endpoint& master);
  // This node did not serve: the next question looks anew, and asks the others first.
  void Suspect(const std::string& address);
  // Grows with every look that found something else.
  std::uint64_t version();

 private:
  using Clock = std::chrono::steady_clock;
  struct View {
    std::vector<Endpoint> masters;  // by slot; an empty host: none
    std::vector<Endpoint> nodes;    // all of them, replicas, too
    bool healthy = false;           // its node says that the cluster is ok
  };

  // What the nodes said when they were asked one after the other.
  struct Answers {
    View view;
    std::vector<std::string> silent;  // addresses
    std::string failure;
    std::exception_ptr stopped;
  };

  void RefreshIfNeeded() SUMMA_REQUIRES(mutex_);
  void EndRefresh() SUMMA_REQUIRES(mutex_);
  std::vector<Endpoint> Candidates() const SUMMA_REQUIRES(mutex_);
  Answers AskInTurn(const std::vector<Endpoint>& nodes) SUMMA_REQUIRES(mutex_);
  View QueryNode(const Endpoint& node) const;

  const ConnectionOptions connection_;
  Mutex mutex_;
  ConditionVariable refreshed_;
  std::vector<Endpoint> masters_ SUMMA_GUARDED_BY(mutex_);  // by slot; empty: nothing is known
  std::vector<Endpoint> nodes_ SUMMA_GUARDED_BY(mutex_);
  // By address, since when.
  std::map<std::string, Clock::time_point> suspects_ SUMMA_GUARDED_BY(mutex_);
  std::uint64_t version_ SUMMA_GUARDED_BY(mutex_) = 0;
  bool stale_ SUMMA_GUARDED_BY(mutex_) = true;
  bool refreshing_ SUMMA_GUARDED_BY(mutex_) = false;
  Clock::time_point next_refresh_ SUMMA_GUARDED_BY(mutex_){};
  std::string failure_ SUMMA_GUARDED_BY(mutex_);  // why the last refresh found nothing
};

// "MOVED 3999 127.0.0.1:6381" and "ASK 3999 127.0.0.1:6381".
struct Redirection {
  enum class Kind { kNone, kMoved, kAsk } kind = Kind::kNone;
  int slot = 0;
  Endpoint to;
};
// `from`: the host that said so, which stands for an empty one.
Redirection ReadRedirection(std::string_view server_text, const std::string& from);

}  // namespace summa::bus_redis
