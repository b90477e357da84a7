// One of the `concurrency` threads that call the handler.
#pragma once

#include <mutex>
#include <string>

#include "attempt.hpp"
#include "consumer_state.hpp"

namespace summa::detail {

class HandlingThread {
 public:
  explicit HandlingThread(ConsumerState& state) : state_(state) {}  // borrows it

  // Until the consumer ends.
  void Run();

 private:
  // All under the lock, which they may give up meanwhile.
  void Wait(std::unique_lock<std::mutex>& lock);
  void Handle(std::unique_lock<std::mutex>& lock, LaneSet::Ticket ticket);
  void Settle(std::unique_lock<std::mutex>& lock, LaneSet::Ticket ticket, Outcome outcome,
              const std::string& error);
  void TryAgain(LaneSet::Ticket ticket, Outcome outcome);
  void Done(std::unique_lock<std::mutex>& lock, LaneSet::Ticket ticket, Outcome outcome);

  ConsumerState& state_;
};

}  // namespace summa::detail
