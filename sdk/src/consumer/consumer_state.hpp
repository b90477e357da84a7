// What the threads of one consumer share: those that fetch, one for each topic, and those that
// handle.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <summa/backoff.hpp>
#include <summa/bus.hpp>
#include <summa/clock.hpp>
#include <summa/lanes.hpp>
#include <summa/subscribe_options.hpp>
#include <vector>

#include "complaints.hpp"
#include "guarded_events.hpp"
#include "handled_messages.hpp"
#include "held_message.hpp"

namespace summa::detail {

using Microseconds = std::chrono::microseconds;

// While messages wait, threads look so often whether there is something to do: one slow handler
// must not keep the others waiting.
inline constexpr Microseconds kLookAgain{20'000};

// Reads one topic.
struct TopicReader {
  explicit TopicReader(bool claims) : handled(claims) {}

  std::string topic;
  std::size_t index = 0;  // among the readers
  std::unique_ptr<SubscriptionClient> subscription;
  HandledMessages handled;  // and not acknowledged yet
  bool flushing = false;    // a thread acknowledges
  bool empty = false;       // the latest poll found nothing
  Complaints complaints;
};

// A message in memory.
struct Held : HeldMessage {
  Held() = default;
  Held(TopicReader& of, const summa_bus_delivery& delivery, Microseconds at)
      : HeldMessage(delivery),
        reader(&of),
        claimed_at(at),
        counted(delivery.recovered == 0),
        live(true) {}

  // What it is kept in order with. A message without a key is a lane of its own.
  std::string_view order_key() const { return key().empty() ? delivery_id() : key(); }

  TopicReader* reader = nullptr;
  Microseconds claimed_at{}, started_at{};
  Complaints::Moment began = 0;
  std::uint64_t number = 0;  // in its partition, see HandledMessages
  bool counted = false;      // the bus knows of the start that runs, or comes next
  bool ended = false;    // no start runs, and the bus did not answer to what was said of the last
  bool suspect = false;  // handled alone: its start was counted more than once
  bool again = false, running = false, overdue = false, live = false;
  std::string verdict;  // not empty: it goes to the dead letters for this reason
};

struct ConsumerState {
  // Subscribes. Throws what subscribing throws, SUMMA_E_CONFIG for impossible options.
  ConsumerState(BusClient bus, SubscribeOptions wanted);

  bool claims() const { return bus.Can(SUMMA_BUS_CLAIMS); }
  bool counts() const { return bus.Can(SUMMA_BUS_COUNTS); }
  // Giving a message up acknowledges it as well, both or neither.
  bool buries_whole() const { return bus.Can(SUMMA_BUS_DEAD_LETTERS) && claims(); }

  bool Stopping() const { return stop.load(std::memory_order_relaxed); }
  // Under the lock: nothing is held, under way, or to be acknowledged.
  bool Idle() const { return lanes.items() == 0 && pending_acks == 0 && fetching == 0; }
  // Under the lock: how long to wait after so many failures in a row.
  Microseconds Pause(std::int64_t failures) const { return backoff.Pause(failures); }

  const BusClient bus;
  const SubscribeOptions options;
  // Between two looks at what is held a third of it passes.
  const Microseconds claim_after;
  Clock& clock;
  GuardedEvents events;
  std::atomic<bool> stop{false};

  mutable std::mutex mutex;
  std::condition_variable changed, room, idle;
  // All that follows is under the lock; of a message that is handled, what its thread alone uses is
  // not.
  LaneSet lanes;
  std::deque<Held> held;  // by ticket; a deque: a message stays where it is
  std::vector<std::unique_ptr<TopicReader>> readers;
  const Backoff backoff;
  Complaints::Moment begun = 0;  // handlers
  std::size_t average_bytes = 1024;
  std::size_t pending_acks = 0;
  std::size_t fetching = 0;         // readers that poll
  double mean_microseconds = 1000;  // of a handler; not quick until that is known
  bool paused = false, draining = false;
};

}  // namespace summa::detail
