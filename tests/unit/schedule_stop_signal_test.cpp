#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "host/schedule/stop_signal.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::host {
namespace {

// Moves on by itself with every look, so that no test sleeps.
class SteppingClock final : public Clock {
 public:
  explicit SteppingClock(Microseconds step) : step_(step) {}
  BootTime BootNow() const override { return FromMicroseconds<BootTime>(now_ += step_.count()); }
  UnixTime UnixNow() const override { return UnixTime(); }

 private:
  Microseconds step_;
  mutable std::atomic<std::int64_t> now_{0};
};

// Stands still, and knows whether it was looked at: then somebody sleeps by it.
class WatchedClock final : public Clock {
 public:
  BootTime BootNow() const override {
    looked_ = true;
    return BootTime();
  }
  UnixTime UnixNow() const override { return UnixTime(); }
  bool looked() const { return looked_; }

 private:
  mutable std::atomic<bool> looked_{false};
};

constexpr Microseconds kForEver = std::chrono::hours(1000);

TEST(StopSignal, AWaitEndsByTheGivenClockAndNotByTheConditionVariable) {
  const SteppingClock clock(std::chrono::hours(1));  // as after a suspend
  StopSignal signal(clock);
  EXPECT_FALSE(signal.WaitFor(std::chrono::minutes(59)));
}

TEST(StopSignal, AfterARequestNothingWaits) {
  StopSignal signal(SystemClock());
  signal.Request();
  EXPECT_TRUE(signal.requested());
  EXPECT_TRUE(signal.WaitFor(kForEver));
}

TEST(StopSignal, ARequestWakesASleeper) {
  const WatchedClock clock;
  StopSignal signal(clock);
  std::thread sleeper([&] { EXPECT_TRUE(signal.WaitFor(kForEver)); });
  EXPECT_TRUE(test::BecomesTrue([&] { return clock.looked(); }));
  signal.Request();
  sleeper.join();
}

TEST(StopSignal, ANotificationLetsASleeperLookAgain) {
  const WatchedClock clock;
  StopSignal signal(clock);
  std::atomic<bool> lost{false};
  std::thread sleeper([&] { EXPECT_TRUE(signal.WaitFor(kForEver, [&] { return lost.load(); })); });
  EXPECT_TRUE(test::BecomesTrue([&] { return clock.looked(); }));
  lost = true;
  signal.Notify();
  sleeper.join();
  EXPECT_FALSE(signal.requested());
}

TEST(StopSignal, AnOutsideReasonIsPolled) {
  std::atomic<int> looks{0};
  StopSignal signal(SystemClock(), [&] { return ++looks > 3; });
  EXPECT_TRUE(signal.WaitFor(kForEver));
  EXPECT_TRUE(signal.requested());
}

}  // namespace
}  // namespace summa::host
