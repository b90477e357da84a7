#include "engine/bus_wake.hpp"

#include <algorithm>

namespace summa::projections {
namespace {

// How soon an order to stop is seen.
constexpr std::chrono::milliseconds kLook{20};

}  // namespace

class BusWake::Events final : public ConsumerEvents {
 public:
  explicit Events(BusWake& wake) : wake_(wake) {}
  void Away(const std::string& error) override {
    if (wake_.away_.exchange(true)) return;
    wake_.host_.Warn("SH-0563", "the bus does not wake the projections", {{"error", error}});
  }

 private:
  BusWake& wake_;
};

BusWake::BusWake(Host host, const std::vector<std::string>& streams,
                 const std::vector<std::string>& projections)
    : host_(host) {
  const BusClient bus(host.FindService(SUMMA_BUS_V1, "bus").service);
  for (const std::string& projection : projections) {
    SubscribeOptions options;
    options.topics = streams;
    options.group = "projection-" + projection;
    options.consumer = options.group;
    options.concurrency = 1;
    options.exclusive = true;
    options.events = events_.emplace_back(std::make_unique<Events>(*this)).get();
    options.handler = [this](const ConsumedMessage&) {
      away_ = false;
      const std::lock_guard lock(mutex_);
      message_ = true;
      come_.notify_one();
    };
    consumers_.emplace_back(bus, std::move(options));
  }
}

BusWake::~BusWake() = default;

void BusWake::Wait(const Tick& tick, std::chrono::microseconds wait,
                   std::chrono::microseconds away_wait) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + (away_ ? away_wait : wait);
  std::unique_lock lock(mutex_);
  while (!message_ && !tick.ShouldStop() && Clock::now() < end) {
    come_.wait_until(lock, std::min<Clock::time_point>(end, Clock::now() + kLook));
  }
  message_ = false;
}

}  // namespace summa::projections
