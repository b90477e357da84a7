// One attempt to handle a message.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <summa/error.hpp>

#include "consumer_state.hpp"

namespace summa::detail {

enum class Outcome {
  kHandled,
  kFailed,        // its key waits, and an attempt was counted
  kWaits,         // its key waits, and none was counted
  kAway,          // its topic waits, and none was counted
  kGivenUp,       // it goes to the dead letters: never what Attempt::Run() returns
  kDeadLettered,  // it is there
  kGone           // another reader has it
};

// Borrows the message, which is marked as running: no other thread begins it.
class Attempt {
 public:
  Attempt(ConsumerState& state, Held& held) : state_(state), held_(held) {}

  // Calls the handler, or gives the message up. Not under the lock. begin: the bus is told first.
  Outcome Run(bool begin);
  // Of what was not handled: why.
  const std::string& error() const { return error_; }

 private:
  Outcome Begin();
  Outcome CallHandler();
  Outcome ClassifyTransient(const Error& failure);
  std::optional<bool> CheckAway(const Error& failure) const;
  TransientFailures::Evidence RecordTransient();
  Outcome BusFailed();
  bool NeverAnswered();
  Outcome Failed();
  Outcome WriteDeadLetter();
  std::shared_ptr<SubscriptionClient> SubscriptionIfOurs() const;
  Outcome DeadLetterFailed(const std::exception& failure);
  summa_bus_message Message() const;
  ConsumedMessage View() const;

  ConsumerState& state_;
  Held& held_;
  std::string error_;
};

}  // namespace summa::detail
