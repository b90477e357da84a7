// What the threads of one consumer share: those that fetch, one for each topic, and those that
// handle.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <summa/backoff.hpp>
#include <summa/bus.hpp>
#include <summa/clock.hpp>
#include <summa/lanes.hpp>
#include <summa/mutex.hpp>
#include <summa/subscribe_options.hpp>
#include <utility>
#include <vector>

#include "guarded_events.hpp"
#include "handled_messages.hpp"
#include "held_message.hpp"
#include "transient_failures.hpp"

namespace summa::detail {

using Microseconds = std::chrono::microseconds;

// While messages wait, threads look so often whether there is something to do: one slow handler
// must not keep the others waiting.
inline constexpr Microseconds kPollInterval{20'000};

// Reads one topic.
struct TopicReader {
  explicit TopicReader(bool claims) : handled(claims) {}

  std::string topic;
  std::size_t index = 0;  // among the readers
  // Without claims it may be replaced under the lock, and is missing until that succeeds.
  std::shared_ptr<SubscriptionClient> subscription;
  // Under the lock of the consumer, which has no name here.
  HandledMessages handled;  // and not acknowledged yet
  bool flushing = false;    // a thread acknowledges
  bool empty = false;       // the latest poll found nothing
  TransientFailures transient_failures;
};

// A message in memory.
struct Held : HeldMessage {
  Held() = default;
  // counts: the bus counts deliveries and starts.
  Held(TopicReader& of, const summa_bus_delivery& delivery, Microseconds at, bool counts,
       std::string used_before = {})
      : HeldMessage(delivery, std::move(used_before)),
        reader(&of),
        claimed_at(at),
        counted(delivery.recovered == 0 || !counts),
        live(true) {}

  // What it is kept in order with. A message without a key is a lane of its own.
  std::string_view order_key() const { return key().empty() ? delivery_id() : key(); }
  std::int64_t attempts() const { return deliveries - (counted ? 1 : 0); }  // that failed

  TopicReader* reader = nullptr;
  Microseconds claimed_at{}, started_at{};
  TransientFailures::Moment began = 0;
  std::uint64_t number = 0;  // in its partition, see HandledMessages
  bool counted = false;      // the bus knows of the start that runs, or comes next
  bool ended = false;    // no start runs, and the bus did not answer to what was said of the last
  bool lost = false;     // its partition: whoever works on it drops it
  bool suspect = false;  // handled alone: its start was counted more than once
  bool handled = false;  // by an earlier consumer, which could not settle it
  bool again = false, running = false, overdue = false, live = false;
  std::string give_up_reason;  // not empty: it goes to the dead letters for this reason
};

struct ConsumerState {
  // Subscribes. Throws what subscribing throws, SUMMA_E_CONFIG for impossible options.
  ConsumerState(BusClient bus, SubscribeOptions wanted);

  bool claims() const { return bus.Can(SUMMA_BUS_CLAIMS); }
  bool counts() const { return bus.Can(SUMMA_BUS_COUNTS); }
  // Giving a message up acknowledges it as well, both or neither.
  bool dead_letters_whole() const { return bus.Can(SUMMA_BUS_DEAD_LETTERS) && claims(); }

  std::unique_ptr<SubscriptionClient> Subscribe(const std::string& topic) const;
  // What is held of this partition, or of every one, is no longer this reader's: it is dropped,
  // neither settled nor given up.
  void Drop(TopicReader& reader, std::optional<std::uint32_t> partition) noexcept
      SUMMA_REQUIRES(mutex);

  bool Stopping() const { return stop.load(std::memory_order_relaxed); }
  // Nothing is held, under way, or to be acknowledged.
  bool Idle() const SUMMA_REQUIRES(mutex) {
    return lanes.items() == 0 && pending_acks == 0 && fetching == 0;
  }
  // How long to wait after so many failures in a row.
  Microseconds Pause(std::int64_t failures) const { return backoff.Pause(failures); }

  const BusClient bus;
  const SubscribeOptions options;
  // Between two looks at what is held a third of it passes.
  const Microseconds claim_after;
  Clock& clock;
  GuardedEvents events;
  const Backoff backoff;
  std::atomic<bool> stop{false};

  mutable Mutex mutex;
  ConditionVariable changed, room, idle;
  LaneSet lanes SUMMA_GUARDED_BY(mutex);
  // By ticket; a deque: a message stays where it is. Of one that is handled, what its thread alone
  // uses is not under the lock.
  std::deque<Held> held SUMMA_GUARDED_BY(mutex);
  std::vector<std::unique_ptr<TopicReader>> readers SUMMA_GUARDED_BY(mutex);
  TransientFailures::Moment begun SUMMA_GUARDED_BY(mutex) = 0;  // handlers
  std::size_t average_bytes SUMMA_GUARDED_BY(mutex) = 1024;
  std::size_t pending_acks SUMMA_GUARDED_BY(mutex) = 0;
  std::size_t fetching SUMMA_GUARDED_BY(mutex) = 0;  // readers that poll
  // Of a handler; not quick until that is known.
  double mean_microseconds SUMMA_GUARDED_BY(mutex) = 1000;
  std::size_t awake SUMMA_GUARDED_BY(mutex) = 0;      // handling threads that do not wait
  Microseconds last_ended SUMMA_GUARDED_BY(mutex){};  // of the latest handler
  bool paused SUMMA_GUARDED_BY(mutex) = false;
  bool draining SUMMA_GUARDED_BY(mutex) = false;
};

}  // namespace summa::detail
