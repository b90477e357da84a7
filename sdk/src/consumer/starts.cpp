#include "starts.hpp"

#include <summa/error.hpp>
#include <utility>

namespace summa::detail {
namespace {

constexpr Microseconds kLongestReturn = std::chrono::seconds(2);

// Whether the message is still ours.
bool Renew(const ConsumerState& state, const Held& held, summa_bus_start start) {
  if (!state.claims()) return true;
  if (!state.counts()) start = SUMMA_BUS_START_NONE;
  const summa_str id = ToAbi(held.delivery_id());
  std::uint8_t still = 0;
  held.reader->subscription->Renew({&id, 1}, start, {&still, 1});
  return still != 0;
}

// Gives the lock up meanwhile.
void ReturnStartOf(ConsumerState& state, const Held& held) SUMMA_REQUIRES(state.mutex) {
  const MutexUnlock unlock(state.mutex);
  Renew(state, held, SUMMA_BUS_START_ENDED);
}

void ReturnStartsOf(ConsumerState& state, const TopicReader& reader, Microseconds until)
    SUMMA_REQUIRES(state.mutex) {
  for (Held& held : state.held) {
    if (!held.live || held.reader != &reader || !held.counted) continue;
    if (held.began != 0 && !held.ended) continue;
    if (state.clock.Now() >= until) return;
    ReturnStartOf(state, held);
    held.counted = false;
  }
}

}  // namespace

bool BeginStart(ConsumerState& state, Held& held) {
  const bool counts = !held.counted;
  const Microseconds now = state.clock.Now();
  try {
    if (!Renew(state, held, counts ? SUMMA_BUS_START_BEGINS : SUMMA_BUS_START_NONE)) return false;
  } catch (...) {
    // Without an answer it may be counted. Counted twice it would look like a crash; not at all,
    // a handler that ends the process has one attempt more.
    const MutexLock lock(state.mutex);
    if (counts) ++held.deliveries;
    held.counted = held.ended = true;
    throw;
  }
  const MutexLock lock(state.mutex);  // against renewing what waits
  held.claimed_at = held.started_at = now;
  if (counts) ++held.deliveries;
  held.counted = true;
  return true;
}

bool StillOurs(ConsumerState& state, Held& held) {
  const Microseconds now = state.clock.Now();
  if (!Renew(state, held, SUMMA_BUS_START_NONE)) return false;
  const MutexLock lock(state.mutex);
  held.claimed_at = now;
  return true;
}

bool EndStart(ConsumerState& state, Held& held) {
  {
    const MutexLock lock(state.mutex);
    if (!held.counted || held.overdue) return true;
  }
  const Microseconds now = state.clock.Now();
  try {
    if (!Renew(state, held, SUMMA_BUS_START_ENDED)) return false;
  } catch (const std::exception&) {
    const MutexLock lock(state.mutex);
    held.ended = true;
    return true;
  }
  const MutexLock lock(state.mutex);
  held.claimed_at = now;
  held.counted = false;
  --held.deliveries;
  return true;
}

void ReturnStarts(ConsumerState& state) noexcept {
  const Microseconds until = state.clock.Now() + kLongestReturn;
  for (const auto& reader : state.readers) {
    try {
      ReturnStartsOf(state, *reader, until);
    } catch (const std::exception&) {
      // The bus of this topic is unreachable; that of another topic may be reachable.
    }
  }
}

}  // namespace summa::detail
