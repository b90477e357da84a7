#include <summa/leased_consumer.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <summa/crash_point.hpp>
#include <summa/inbox.hpp>
#include <utility>

namespace summa {
namespace {

// A call ends by itself, so that the host sees that the worker lives and what it did.
constexpr std::chrono::seconds kCall{10};
constexpr std::chrono::milliseconds kPollInterval{20};
constexpr std::chrono::seconds kDrain{2};

// Tells the events object of the plugin, and the log.
class Events final : public ConsumerEvents {
 public:
  Events(Host host, const SubscribeOptions& options) : host_(host), options_(options) {}
  void Failed(const ConsumedMessage& message, const std::string& error) override {
    LogMessage(SUMMA_LOG_DEBUG, "", "a message failed and is tried again", message, error);
    if (options_.events != nullptr) options_.events->Failed(message, error);
  }
  void DeadLettered(const ConsumedMessage& message, const std::string& error) override {
    LogMessage(SUMMA_LOG_WARN, "SH-0141", "a message was given up", message, error);
    if (options_.events != nullptr) options_.events->DeadLettered(message, error);
  }
  void Overdue(std::string_view topic, std::string_view id) override {
    if (options_.events != nullptr) options_.events->Overdue(topic, id);
  }
  void Away(const std::string& error) override {
    {
      const MutexLock lock(mutex_);
      away_ = error;
    }
    if (options_.events != nullptr) options_.events->Away(error);
  }
  void ThrowIfAway() const {
    const MutexLock lock(mutex_);
    if (away_.empty()) return;
    throw Error(SUMMA_E_UNAVAILABLE, "SH-0142",
                "group " + options_.group + " could handle no message: " + away_);
  }

 private:
  void LogMessage(summa_log_level level, std::string_view code, std::string_view what,
                  const ConsumedMessage& message, const std::string& error) const {
    host_.Log(level, code, what,
              {{"group", options_.group},
               {"topic", std::string(message.topic)},
               {"message", std::string(message.id)},
               {"key", std::string(message.key)},
               {"deliveries", std::to_string(message.deliveries)},
               {"error", error}});
  }

  const Host host_;
  const SubscribeOptions& options_;
  mutable Mutex mutex_;
  std::string away_ SUMMA_GUARDED_BY(mutex_);
};

// What the host's database said (SH-04..) is settled by asking it; the consumer knows nothing about
// other causes.
std::optional<bool> IsAway(const Tick& tick, const Error& error) {
  if (tick.ShouldStop()) return true;
  if (!error.code().starts_with("SH-04")) return std::nullopt;
  Session(tick.sql()).Exec("SELECT 1");
  return false;
}

}  // namespace

bool LeasedMessage::Once(const std::function<void(Session&)>& effect) const {
  Session session(sql);
  session.Begin();
  if (!Inbox::First(session, group, id)) return false;
  effect(session);
  CrashPoint("consumer.effect");
  session.Commit();
  return true;
}

// The consumer, as long as it can be asked what fails.
class LeasedConsumer::Shown {
 public:
  Shown(LeasedConsumer& owner, Consumer& consumer) : owner_(owner) { Show(&consumer); }
  ~Shown() { Show(nullptr); }
  // What fails now is shown until the next call begins.
  void Keep() {
    std::vector<Finding> failing = owner_.Failing();
    const MutexLock lock(owner_.mutex_);
    owner_.failing_ = std::move(failing);
  }
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;

 private:
  void Show(Consumer* consumer) {
    const MutexLock lock(owner_.mutex_);
    owner_.consumer_ = consumer;
  }
  LeasedConsumer& owner_;
};

LeasedConsumer::LeasedConsumer(Host host, SubscribeOptions options, std::string bus)
    : host_(host), bus_(std::move(bus)), options_(std::move(options)) {
  if (options_.consumer.empty()) options_.consumer = options_.group;
  options_.exclusive = true;
}

TickResult LeasedConsumer::Run(const Tick& tick) {
  // Under another lease, others may have had the messages meanwhile.
  if (std::exchange(fence_, tick.fence()) != tick.fence() || tick.new_lease()) memory_.Clear();
  Events events(host_, options_);
  std::atomic<std::int64_t> handled{0};
  SubscribeOptions options = options_;
  options.events = &events;
  options.memory = &memory_;
  options.is_away = [&tick](const Error& error) { return IsAway(tick, error); };
  options.handler = [&](const ConsumedMessage& message) {
    // The lease may have ended while the message waited.
    if (tick.ShouldStop()) throw Error(SUMMA_E_CANCELLED, "", "the worker has to stop");
    Handle({message, tick.sql(), tick.fence(), options_.group});
    ++handled;
  };
  const auto found = host_.FindService(SUMMA_BUS_V1, bus_);
  Consumer consumer(BusClient(found.service), std::move(options));
  Shown shown(*this, consumer);
  Await(tick, consumer);
  // What is in memory is handled rather than delivered again.
  if (!tick.ShouldStop()) consumer.Drain(kDrain);
  const bool caught_up = consumer.CaughtUp();
  shown.Keep();
  consumer.Unsubscribe();
  if (handled == 0 && !caught_up && !tick.ShouldStop()) events.ThrowIfAway();
  // In a running host the next call begins at once.
  return {handled, tick.once() && !caught_up, std::chrono::microseconds(0)};
}

std::vector<Finding> LeasedConsumer::Failing() const {
  const MutexLock lock(mutex_);
  return consumer_ == nullptr ? failing_ : consumer_->Failing();
}

// Until told to stop, or the call has lasted long enough; with `run --once` until all is handled.
void LeasedConsumer::Await(const Tick& tick, const Consumer& consumer) const {
  const BootTime end = host_.BootNow() + kCall;
  while (!tick.ShouldStop() && host_.BootNow() < end) {
    if (tick.once() && consumer.CaughtUp()) return;
    tick.Wait(kPollInterval);
  }
}

}  // namespace summa
