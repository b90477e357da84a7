#include "consumer_state.hpp"

#include <summa/error.hpp>
#include <utility>

#include "machine_clock.hpp"

namespace summa::detail {
namespace {

// For a bus without claims: the deadline that a handler is told, after which it is overdue.
constexpr Microseconds kDeadline = std::chrono::seconds(20);

// With the defaults that depend on the bus. Throws SUMMA_E_CONFIG for impossible options.
SubscribeOptions Checked(const BusClient& bus, SubscribeOptions options) {
  const auto refuse = [](const std::string& problem, const std::string& fix) {
    throw Error(SUMMA_E_CONFIG, "SH-0620", "subscribe: " + problem, fix);
  };
  const Microseconds claim_after = bus.claim_after();
  const bool claims = bus.Can(SUMMA_BUS_CLAIMS);
  if (options.handler_deadline.count() == 0) {
    options.handler_deadline = claims ? claim_after * 2 / 3 : kDeadline;
  }
  if (claims && options.handler_deadline >= claim_after) {
    refuse("handler_deadline " + std::to_string(options.handler_deadline.count() / 1000) +
               " ms is not below the claim_after of the bus, " +
               std::to_string(claim_after.count() / 1000) + " ms",
           "raise claim_after of the bus, or lower the deadline");
  }
  const auto too_long = [](const std::string& topic) {
    return "subscribe: the bus keeps no dead letters, and the name of topic " + topic +
           " is too long for a stream " + topic + std::string(DeadLetterStream::kSuffix);
  };
  for (const std::string& topic : options.topics) {
    if (bus.Can(SUMMA_BUS_DEAD_LETTERS) || DeadLetterStream::HasNameFor(topic)) continue;
    throw Error(SUMMA_E_CONFIG, "SH-0632", too_long(topic),
                "give the topic a name of at most 196 bytes");
  }
  if (!options.handler || options.topics.empty()) refuse("no handler or no topic", "give both");
  if (options.concurrency < 1 || options.concurrency > 1000) {
    refuse("concurrency is not 1 to 1000", "10 is the default");
  }
  if (options.max_retries < 1) refuse("max_retries is below 1", "3 is the default");
  if (options.max_messages == 0 || options.max_bytes == 0)
    refuse("max_messages or max_bytes is 0", "leave the default");
  return options;
}

}  // namespace

ConsumerState::ConsumerState(BusClient of, SubscribeOptions wanted)
    : bus(of),
      options(Checked(bus, std::move(wanted))),
      claim_after(claims() ? bus.claim_after() : options.handler_deadline * 3 / 2),
      clock(options.clock != nullptr ? *options.clock : MachineClock()),
      events(options.events, options.group, clock),
      backoff(options.retry_base, options.retry_cap),
      lanes(options.max_messages, options.max_bytes) {
  for (const std::string& topic : options.topics) {
    auto reader = std::make_unique<TopicReader>(claims());
    reader->topic = topic;
    reader->index = readers.size();
    reader->subscription = Subscribe(topic);
    readers.push_back(std::move(reader));
  }
}

std::unique_ptr<SubscriptionClient> ConsumerState::Subscribe(const std::string& topic) const {
  const bool exclusive = options.exclusive && bus.Can(SUMMA_BUS_EXCLUSIVE_READERS);
  const std::uint32_t flags = (counts() ? std::uint32_t{SUMMA_BUS_COUNT_STARTS} : 0U) |
                              (exclusive ? std::uint32_t{SUMMA_BUS_EXCLUSIVE} : 0U);
  return bus.Subscribe(topic, options.group, options.consumer, flags);
}

void ConsumerState::Drop(TopicReader& reader, std::optional<std::uint32_t> partition) noexcept {
  for (Held& each : held) {
    if (each.live && each.reader == &reader && each.partition == partition.value_or(each.partition))
      each.lost = true;
  }
  pending_acks -= partition ? reader.handled.Forget(*partition) : reader.handled.ForgetAll();
  if (Idle()) idle.notify_all();
}

}  // namespace summa::detail
