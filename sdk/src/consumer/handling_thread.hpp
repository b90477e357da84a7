// One of the `concurrency` threads that call the handler.
#pragma once

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
  void Wait() SUMMA_REQUIRES(state_.mutex);
  bool OthersAreEnough() const SUMMA_REQUIRES(state_.mutex);
  void Handle(LaneSet::Ticket ticket, Microseconds now) SUMMA_REQUIRES(state_.mutex);
  void Settle(LaneSet::Ticket ticket, Outcome outcome, const std::string& error)
      SUMMA_REQUIRES(state_.mutex);
  void TryAgain(LaneSet::Ticket ticket, Outcome outcome) SUMMA_REQUIRES(state_.mutex);
  void Done(LaneSet::Ticket ticket, Outcome outcome) SUMMA_REQUIRES(state_.mutex);

  ConsumerState& state_;
};

}  // namespace summa::detail
