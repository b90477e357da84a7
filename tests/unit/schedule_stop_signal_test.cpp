#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "host/schedule/stop_signal.hpp"

namespace summa::host {
namespace {

// Moves on by itself with every look, so that no test sleeps.
class SteppingClock final : public Clock {
 public:
  explicit SteppingClock(Microseconds step) : step_(step) {}
  Microseconds BootTime() const override { return Microseconds(now_ += step_.count()); }
  Microseconds UnixTime() const override { return BootTime(); }

 private:
  Microseconds step_;
  mutable std::atomic<std::int64_t> now_{0};
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
  StopSignal signal(SystemClock());
  std::thread sleeper([&] { EXPECT_TRUE(signal.WaitFor(kForEver)); });
  signal.Request();
  sleeper.join();
}

TEST(StopSignal, ANotificationLetsASleeperLookAgain) {
  StopSignal signal(SystemClock());
  std::atomic<bool> lost{false};
  std::thread sleeper([&] { EXPECT_TRUE(signal.WaitFor(kForEver, [&] { return lost.load(); })); });
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
