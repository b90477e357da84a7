#include "acknowledge.hpp"

#include <summa/crash_point.hpp>
#include <summa/error.hpp>
#include <utility>

namespace summa::detail {
namespace {

// Before the next thread tries what the bus has just refused.
constexpr Microseconds kAfterFailure{50'000};

using Places = std::vector<HandledMessages::Place>;

// Gives the lock up meanwhile.
bool Send(ConsumerState& state, TopicReader& reader, const Places& places)
    SUMMA_REQUIRES(state.mutex) {
  const MutexUnlock unlock(state.mutex);
  try {
    CrashPoint("consumer.ack");
    if (!state.claims()) {
      for (const auto& place : places) reader.subscription->Settle(place.delivery_id);
      return true;
    }
    std::vector<summa_str> ids;
    ids.reserve(places.size());
    for (const auto& place : places) ids.push_back(ToAbi(place.delivery_id));
    reader.subscription->Ack(ids);
    return true;
  } catch (const std::exception& error) {
    state.events.Away(error.what());
    return false;
  }
}

}  // namespace

void Acknowledge(ConsumerState& state, TopicReader& reader) {
  if (reader.flushing) return;
  reader.flushing = true;
  const std::size_t messages = reader.handled.messages();
  Places places = reader.handled.Take();
  const bool done = Send(state, reader, places);
  reader.flushing = false;
  if (done) {
    state.pending_acks -= messages;
    if (state.Idle()) state.idle.notify_all();
    return;
  }
  // With the next ones; without an answer they come again, which is allowed.
  reader.handled.PutBack(std::move(places));
  if (!state.Stopping()) {
    state.clock.Wait(state.changed, state.mutex, state.clock.Now() + kAfterFailure);
  }
}

void AcknowledgeAll(ConsumerState& state) {
  for (const auto& reader : state.readers) {
    if (!reader->handled.empty()) Acknowledge(state, *reader);
  }
}

}  // namespace summa::detail
