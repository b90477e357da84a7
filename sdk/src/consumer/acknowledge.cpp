#include "acknowledge.hpp"

#include <iterator>
#include <summa/crash_point.hpp>
#include <summa/error.hpp>
#include <utility>

namespace summa::detail {
namespace {

// Before the next thread tries what the bus has just refused.
constexpr Microseconds kAfterFailure{50'000};

bool Send(ConsumerState& state, TopicReader& reader, const std::vector<std::string>& acks) {
  try {
    CrashPoint("consumer.ack");
    std::vector<summa_str> ids;
    ids.reserve(acks.size());
    for (const std::string& id : acks) ids.push_back(ToAbi(id));
    reader.subscription->Ack(ids);
    return true;
  } catch (const std::exception& error) {
    state.events.Away(error.what());
    return false;
  }
}

}  // namespace

void Acknowledge(ConsumerState& state, std::unique_lock<std::mutex>& lock, TopicReader& reader) {
  if (reader.flushing) return;
  reader.flushing = true;
  std::vector<std::string> acks = std::exchange(reader.acks, {});
  lock.unlock();
  const bool done = Send(state, reader, acks);
  lock.lock();
  reader.flushing = false;
  if (done) {
    state.pending_acks -= acks.size();
    if (state.Idle()) state.idle.notify_all();
    return;
  }
  // With the next ones; without an answer they come again, which is allowed.
  reader.acks.insert(reader.acks.end(), std::make_move_iterator(acks.begin()),
                     std::make_move_iterator(acks.end()));
  if (!state.Stopping()) {
    state.clock.Wait(state.changed, lock, state.clock.Now() + kAfterFailure);
  }
}

void AcknowledgeAll(ConsumerState& state, std::unique_lock<std::mutex>& lock) {
  for (const auto& reader : state.readers) {
    if (!reader->acks.empty()) Acknowledge(state, lock, *reader);
  }
}

}  // namespace summa::detail
