#include "attempt.hpp"

#include <algorithm>

#include "starts.hpp"

namespace summa::detail {
namespace {

// Deliveries that ended without an answer until a message is given up for that reason.
constexpr std::int64_t kMinimumCrashes = 3;

}  // namespace

Outcome Attempt::Run(bool begin) {
  Outcome outcome = begin ? Begin() : Outcome::kHandled;
  if (outcome != Outcome::kHandled) return outcome;
  outcome = !held_.give_up_reason.empty() || NeverAnswered() ? Outcome::kGivenUp : CallHandler();
  if (outcome == Outcome::kFailed) outcome = Failed();
  return outcome == Outcome::kGivenUp ? WriteDeadLetter() : outcome;
}

// kHandled: the handler may be called.
Outcome Attempt::Begin() {
  try {
    return BeginStart(state_, held_) ? Outcome::kHandled : Outcome::kGone;
  } catch (const std::exception& e) {
    error_ = e.what();
    return BusFailed();
  }
}

Outcome Attempt::CallHandler() {
  try {
    state_.options.handler(View());
    return Outcome::kHandled;
  } catch (const Error& e) {
    error_ = e.what();
    return IsTransient(e.status()) ? ClassifyTransient(e) : Outcome::kFailed;
  } catch (const std::exception& e) {
    error_ = e.what();
  } catch (...) {
    error_ = "an exception that is not a std::exception";
  }
  return Outcome::kFailed;
}

// The handler reports that the message is not at fault. That may be wrong.
Outcome Attempt::ClassifyTransient(const Error& failure) {
  const TransientFailures::Evidence evidence = RecordTransient();
  auto cause = FailureCause::kTopic;
  if (!state_.Stopping()) {
    std::optional<bool> away;
    // When many report the same, no further check is needed.
    if (!evidence.others) away = CheckAway(failure);
    cause = FindCause(failure.status(), evidence, away);
  }
  if (cause == FailureCause::kMessage) return Outcome::kFailed;
  if (!EndStart(state_, held_)) return Outcome::kGone;
  if (cause == FailureCause::kTopic) return Outcome::kAway;
  error_ += " (message " + std::string(held_.id()) + "; other keys continue)";
  return Outcome::kWaits;
}

std::optional<bool> Attempt::CheckAway(const Error& failure) const {
  if (!state_.options.is_away) return std::nullopt;
  try {
    return state_.options.is_away(failure);
  } catch (const std::exception&) {
    return true;  // a failed check counts as unreachable
  }
}

TransientFailures::Evidence Attempt::RecordTransient() {
  const MutexLock lock(state_.mutex);
  return held_.reader->transient_failures.Record(held_.order_key(), state_.begun);
}

// The bus cannot do what this message needs; others may need something else.
Outcome Attempt::BusFailed() { return RecordTransient().others ? Outcome::kAway : Outcome::kWaits; }

// Started repeatedly and never finished: the handler ends the process, or hangs.
bool Attempt::NeverAnswered() {
  const std::int64_t most = std::max<std::int64_t>(state_.options.max_retries, kMinimumCrashes);
  if (!held_.recovered || held_.again || held_.deliveries <= most) return false;
  held_.give_up_reason = "delivered " + std::to_string(held_.deliveries - 1) +
                         " times, but the handler never returned: it ends the process or hangs";
  return true;
}

Outcome Attempt::Failed() {
  if (held_.deliveries < state_.options.max_retries) {
    state_.events.Failed(View(), error_);
    return Outcome::kFailed;
  }
  held_.give_up_reason = error_.empty() ? "the handler failed without a message" : error_;
  return Outcome::kGivenUp;
}

// The dead letters may be unreachable as well: then it is tried again.
Outcome Attempt::WriteDeadLetter() {
  try {
    const std::shared_ptr<SubscriptionClient> subscription = SubscriptionIfOurs();
    if (subscription == nullptr) return Outcome::kGone;
    if (state_.bus.Can(SUMMA_BUS_DEAD_LETTERS)) {
      subscription->DeadLetter(held_.delivery_id(), held_.give_up_reason);
    } else {
      if (!StillOurs(state_, held_)) return Outcome::kGone;
      DeadLetterStream(state_.bus.abi())
          .Add(Message(), held_.delivery_id(), state_.options.group, held_.give_up_reason,
               held_.deliveries);
    }
  } catch (const std::exception& e) {
    error_ = "the dead letter of message " + std::string(held_.id()) + ": " + e.what();
    return DeadLetterFailed(e);
  }
  state_.events.DeadLettered(View(), held_.give_up_reason);
  return Outcome::kDeadLettered;
}

// None when the partition of the message was lost.
std::shared_ptr<SubscriptionClient> Attempt::SubscriptionIfOurs() const {
  const MutexLock lock(state_.mutex);
  return held_.lost ? nullptr : held_.reader->subscription;
}

Outcome Attempt::DeadLetterFailed(const std::exception& failure) {
  const auto* error = dynamic_cast<const Error*>(&failure);
  if (error == nullptr || error->status() != SUMMA_E_USAGE) return BusFailed();
  // The bus is there, and refuses this one: no other message waits, and people are told.
  state_.events.SetRefused(held_.reader->topic, held_.id(), failure.what());
  return Outcome::kWaits;
}

summa_bus_message Attempt::Message() const {
  summa_bus_message message{};
  message.stream = ToAbi(held_.reader->topic);
  message.id = ToAbi(held_.id());
  message.type = ToAbi(held_.type());
  message.key = ToAbi(held_.key());
  message.payload = ToAbi(held_.payload());
  message.timestamp = ToAbi(held_.timestamp());
  message.correlation_id = ToAbi(held_.correlation_id());
  message.position = held_.position;
  message.note = ToAbi(held_.note());
  return message;
}

ConsumedMessage Attempt::View() const {
  return {held_.reader->topic,
          held_.id(),
          held_.type(),
          held_.key(),
          held_.payload(),
          held_.timestamp(),
          held_.correlation_id(),
          held_.note(),
          held_.position,
          held_.deliveries,
          held_.started_at + state_.options.handler_deadline,
          &state_.stop};
}

}  // namespace summa::detail
