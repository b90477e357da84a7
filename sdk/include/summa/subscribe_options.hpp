// The arguments of a handler and the options of a subscription; used with <summa/consumer.hpp>.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <summa/bus.hpp>
#include <summa/clock.hpp>
#include <summa/delivery_memory.hpp>
#include <summa/error.hpp>
#include <vector>

namespace summa {

// A message and its delivery data. Borrowed while the handler runs.
struct ConsumedMessage {
  std::string_view topic, id, type, key, payload, timestamp, correlation_id;
  std::string_view note;  // see summa_bus_message
  std::int64_t position = SUMMA_BUS_NO_POSITION;
  std::int64_t deliveries = 1;              // this one included
  std::chrono::microseconds deadline{};     // of SubscribeOptions::clock: until then
  const std::atomic<bool>* stop = nullptr;  // the consumer is being ended

  bool ShouldStop() const { return stop != nullptr && stop->load(std::memory_order_relaxed); }
};

// Events for log and metrics. Called by the consumer's threads, from several at the same time,
// without a lock of the consumer. Exceptions of a callback are not passed on; Consumer::Failing()
// reports their name and text. A callback that waits blocks a thread of the consumer.
class ConsumerEvents {
 public:
  virtual ~ConsumerEvents() = default;
  virtual void Failed(const ConsumedMessage&, const std::string& /*error*/) {}
  virtual void DeadLettered(const ConsumedMessage&, const std::string& /*error*/) {}
  // The handler is past its deadline: another reader may already handle the message.
  virtual void Overdue(std::string_view /*topic*/, std::string_view /*id*/) {}
  // The bus, or something that a handler needs, is unreachable, or a handler reports it: the
  // message is tried again and no attempt is counted.
  virtual void Away(const std::string& /*error*/) {}
};

struct SubscribeOptions {
  std::vector<std::string> topics;
  std::string group;     // one per purpose: two groups each get every message
  std::string consumer;  // stable name of this reader within the group
  // Throw to have the message tried again. Only its key waits for it. A message has max_retries
  // attempts. What counts as an attempt:
  // - Most exceptions count, because this message is at fault.
  // - SUMMA_E_UNAVAILABLE, SUMMA_E_FENCED, SUMMA_E_CANCELLED (a service is unreachable, or the
  //   handler had to stop) count only when the same message throws one again and `is_away` finds
  //   that the service is reachable, or, when `is_away` cannot tell, messages of other keys
  //   succeeded meanwhile and none of them throws it.
  // - SUMMA_E_TRY_LATER (a timeout, a lock, a deadlock) counts.
  // When messages of several keys throw one of these four, or `is_away` finds that the service is
  // unreachable, the topic waits and nothing is counted.
  std::function<void(const ConsumedMessage&)> handler;
  // Optional: tells whether the service that caused this error of a handler is unreachable.
  // nullopt: unknown. Called on the thread of the handler.
  std::function<std::optional<bool>(const Error&)> is_away;
  int concurrency = 10;
  int max_retries = 3;     // deliveries before a message goes to the dead letters
  bool exclusive = false;  // this reader holds a lease: it takes over at once what others left
  // The time limit of a handler. It must be below the claim_after of the bus, otherwise subscribing
  // fails: above it, two readers would handle the same message at the same time. 0: two thirds of
  // claim_after, and
  // 20 s on a bus without claims, where it only says when a handler is overdue.
  std::chrono::microseconds handler_deadline{0};
  // Held in memory; on a bus without claims also so many handled behind one that takes long.
  std::size_t max_messages = 4000;
  std::size_t max_bytes = 32 << 20;  // of payloads held in memory
  std::chrono::microseconds retry_base{
      100'000};  // first pause of a failed key; doubles, full jitter
  std::chrono::microseconds retry_cap{10'000'000};
  std::chrono::microseconds poll_wait{500'000};
  ConsumerEvents* events = nullptr;  // borrowed; must outlive the consumer
  Clock* clock = nullptr;            // borrowed as well; nullptr: that of the machine
  // Borrowed as well: for consumers that follow each other under one lease. nullptr: none.
  DeliveryMemory* memory = nullptr;
};

}  // namespace summa
