#include <gtest/gtest.h>

#include "host/schedule/due_time.hpp"

namespace summa::host {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(DueTime, JitterSpreadsTheNextRunEvenlyAroundTheInterval) {
  EXPECT_EQ(JitteredInterval(seconds(100), 0.25, 0.0), seconds(75));
  EXPECT_EQ(JitteredInterval(seconds(100), 0.25, 0.5), seconds(100));
  EXPECT_EQ(JitteredInterval(seconds(100), 0.25, 1.0), seconds(125));
  EXPECT_EQ(JitteredInterval(seconds(100), 0.0, 0.9), seconds(100));
}

TEST(DueTime, TheNextRunIsNeverNow) {
  EXPECT_EQ(JitteredInterval(Microseconds(1), 1.0, 0.0), Microseconds(1));
}

TEST(DueTime, AfterATimeOfTheDayARunIsOnlyLaterAndNeverPastTheNextTime) {
  const std::vector<Microseconds> nightly = {hours(3)};
  EXPECT_EQ(DelayAfterTime(nightly, 0.0, 0.9), Microseconds(0));
  EXPECT_EQ(DelayAfterTime(nightly, 0.5, 0.0), Microseconds(0));
  EXPECT_EQ(DelayAfterTime(nightly, 0.5, 1.0), minutes(30));  // of an hour, not of a day
  EXPECT_EQ(DelayAfterTime({hours(3), hours(3) + minutes(20)}, 0.5, 1.0), minutes(10));
  // Over midnight.
  EXPECT_EQ(DelayAfterTime({minutes(5), hours(24) - minutes(5)}, 0.5, 1.0), minutes(5));
}

TEST(DueTime, AWorkerThatNeverRanIsDue) {
  EXPECT_EQ(PauseUntilRun(std::nullopt, {hours(24), true, minutes(1)}), Microseconds(0));
  EXPECT_EQ(PauseUntilRun(std::nullopt, {hours(24), false, minutes(1)}), Microseconds(0));
}

TEST(DueTime, AWorkerWaitsForItsDueTime) {
  EXPECT_EQ(PauseUntilRun(hours(3), {hours(24), true, minutes(1)}), hours(3));
}

TEST(DueTime, MissedOnceRunsNowHoweverLate) {
  EXPECT_EQ(PauseUntilRun(-hours(24 * 30), {hours(24), true, minutes(1)}), Microseconds(0));
}

TEST(DueTime, MissedSkipRunsWhatIsOnlyALittleLate) {
  EXPECT_EQ(PauseUntilRun(-seconds(59), {hours(24), false, minutes(1)}), Microseconds(0));
  EXPECT_EQ(PauseUntilRun(-seconds(60), {hours(24), false, minutes(1)}), Microseconds(0));
}

TEST(DueTime, MissedSkipWaitsForTheNextDueTimeInWholeIntervals) {
  EXPECT_EQ(PauseUntilRun(-hours(2), {hours(24), false, minutes(1)}), hours(22));
  EXPECT_EQ(PauseUntilRun(-hours(24 * 10 + 2), {hours(24), false, minutes(1)}), hours(22));
}

TEST(DueTime, MissedSkipAgreesHoweverOftenTheHostRestarts) {
  const DueRule rule{hours(24), false, minutes(1)};
  for (int minute = 2; minute < 24 * 60; minute += 7) {
    EXPECT_EQ(PauseUntilRun(-minutes(minute), rule), minutes(24 * 60 - minute));
  }
}

}  // namespace
}  // namespace summa::host
