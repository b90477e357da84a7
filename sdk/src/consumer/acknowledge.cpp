#include "acknowledge.hpp"

#include <memory>
#include <string>
#include <summa/crash_point.hpp>
#include <summa/error.hpp>
#include <utility>
#include <vector>

namespace summa::detail {
namespace {

// Before the next thread tries what the bus has just refused.
constexpr Microseconds kAfterFailure{50'000};

using Places = std::vector<HandledMessages::Place>;

std::size_t MessagesOf(const Places& places) {
  std::size_t messages = 0;
  for (const auto& place : places) messages += place.messages;
  return messages;
}

// Returns those that failed. A partition whose place cannot be settled holds no other.
Places SettleEach(ConsumerState& state, SubscriptionClient& subscription, Places places) {
  std::string failure;
  std::erase_if(places, [&](const HandledMessages::Place& place) {
    try {
      subscription.Settle(place.delivery_id);
      return true;
    } catch (const std::exception& error) {
      failure = error.what();
      return false;
    }
  });
  if (!places.empty()) state.events.Away(failure);
  return places;
}

Places AckAll(ConsumerState& state, SubscriptionClient& subscription, Places places) {
  try {
    std::vector<summa_str> ids;
    ids.reserve(places.size());
    for (const auto& place : places) ids.push_back(ToAbi(place.delivery_id));
    subscription.Ack(ids);
    return {};
  } catch (const std::exception& error) {
    state.events.Away(error.what());
    return places;
  }
}

// Returns what the bus did not take. Gives the lock up meanwhile.
Places Send(ConsumerState& state, const TopicReader& reader, Places places)
    SUMMA_REQUIRES(state.mutex) {
  const std::shared_ptr<SubscriptionClient> subscription = reader.subscription;
  if (subscription == nullptr) return places;
  const MutexUnlock unlock(state.mutex);
  CrashPoint("consumer.ack");
  return state.claims() ? AckAll(state, *subscription, std::move(places))
                        : SettleEach(state, *subscription, std::move(places));
}

}  // namespace

void Acknowledge(ConsumerState& state, TopicReader& reader) {
  if (reader.flushing) return;
  reader.flushing = true;
  const std::size_t messages = reader.handled.messages();
  Places failed = Send(state, reader, reader.handled.Take());
  reader.flushing = false;
  const bool done = failed.empty();
  state.pending_acks -= messages - MessagesOf(failed);
  // With the next ones; without an answer they come again, which is allowed.
  state.pending_acks -= reader.handled.PutBack(std::move(failed));
  if (state.Idle()) state.idle.notify_all();
  if (!done && !state.Stopping()) {
    state.clock.Wait(state.changed, state.mutex, state.clock.Now() + kAfterFailure);
  }
}

void AcknowledgeAll(ConsumerState& state) {
  for (const auto& reader : state.readers) {
    if (!reader->handled.empty()) Acknowledge(state, *reader);
  }
}

}  // namespace summa::detail
