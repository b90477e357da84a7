// Where the master is that Redis Sentinels watch.
//
// Asks the Sentinels one after the other, the one that answered last first, and believes the first
// that knows the master; whether it is one is looked at on the connection to it. Shared by all
// connections of a bus. Thread-safe. Throws summa::Error: SUMMA_E_UNAVAILABLE with SH-0626 when no
// Sentinel names a master, else as Connection does.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <summa/mutex.hpp>
#include <vector>

#include "plugins/bus-redis/connection.hpp"

namespace summa::bus_redis {

class Sentinels {
 public:
  // Of a url whose kind is kSentinel. `login`: of the Sentinels themselves; the one in the url is
  // that of Redis.
  Sentinels(ConnectionOptions connection, std::shared_ptr<const RenewableLogin> login);

  // doubted: the last answer was not of use, so another Sentinel is asked first.
  Endpoint Master(bool doubted);
  // What a Sentinel said within the last seconds. Where none answers now, what the last one said.
  Endpoint LatestMaster();
  // The Sentinel that answered last, for people; empty: none has.
  std::string answered();

 private:
  using Clock = std::chrono::steady_clock;
  Endpoint QuerySentinel(const Endpoint& sentinel) const;
  Endpoint QueryAll() SUMMA_REQUIRES(mutex_);

  const ConnectionOptions connection_;
  Mutex mutex_;
  // The one that answered last first.
  std::vector<Endpoint> sentinels_ SUMMA_GUARDED_BY(mutex_);
  Endpoint master_ SUMMA_GUARDED_BY(mutex_);
  bool answered_ SUMMA_GUARDED_BY(mutex_) = false;
  Clock::time_point asked_ SUMMA_GUARDED_BY(mutex_){};
};

}  // namespace summa::bus_redis
