// Messages of a bus say that the store has something new. Nothing in them is used: a message that
// is lost, late or repeated costs a look at the store, or a second.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <summa/consumer.hpp>
#include <summa/host.hpp>
#include <summa/worker.hpp>
#include <vector>

namespace summa::projections {

// One group for each projection, so that `bus groups` names them and each can be removed alone.
// As long as it lives, it is the reader of the groups: only the holder of the lease has one. One
// thread.
class BusWake {
 public:
  // Throws what subscribing throws.
  BusWake(Host host, const std::vector<std::string>& streams,
          const std::vector<std::string>& projections);
  ~BusWake();
  BusWake(const BusWake&) = delete;
  BusWake& operator=(const BusWake&) = delete;

  // Returns when a message has come since the call before, when the time is over, or when the
  // worker has to stop. A bus that does not answer wakes nobody: then the time is `away_wait`.
  void Wait(const Tick& tick, std::chrono::microseconds wait, std::chrono::microseconds away_wait);

 private:
  class Events;

  Host host_;
  std::mutex mutex_;
  std::condition_variable come_;
  bool message_ = false;           // guarded by mutex_
  std::atomic<bool> away_{false};  // the bus
  std::vector<std::unique_ptr<Events>> events_;
  std::deque<Consumer> consumers_;  // last: they end first
};

}  // namespace summa::projections
