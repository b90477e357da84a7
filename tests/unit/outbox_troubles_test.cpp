#include <chrono>

#include <gtest/gtest.h>

#include "troubles.hpp"

namespace summa::outbox {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

BootTime At(int second) { return BootTime(seconds(second)); }

TEST(Troubles, ASinkThatFailsIsNamedSinceItsFirstFailureUntilItWorks) {
  Troubles troubles("bus-redis");
  troubles.SinkFailed("refused", "start it", At(100), At(101));
  troubles.SinkFailed("timed out", "start it", At(110), At(112));
  const auto failing = troubles.Failing(At(111));
  ASSERT_EQ(failing.size(), 1u);
  EXPECT_EQ(failing[0].severity, Severity::kError);
  EXPECT_EQ(failing[0].found, "SH-0501 has accepted no messages for 11 s: timed out");
  EXPECT_EQ(failing[0].fix, "start it");
  troubles.SinkWorks();
  EXPECT_TRUE(troubles.Failing(At(112)).empty());
}

TEST(Troubles, OfWhatIsTriedNoMoreNothingIsSaid) {
  Troubles troubles("bus-redis");
  troubles.SinkFailed("refused", "", At(100), At(101));
  troubles.StreamFailed("credited", "WRONGTYPE", At(100), At(101));
  troubles.Blocked(3, At(100));
  EXPECT_EQ(troubles.Failing(At(101) + minutes(1)).size(), 2u);
  EXPECT_TRUE(troubles.Failing(At(102) + minutes(1)).empty());
}

TEST(Troubles, ALongPauseIsNotForgottenBeforeItEnds) {
  Troubles troubles("bus-redis");
  troubles.SinkFailed("refused", "", At(100), At(100) + hours(1));
  EXPECT_EQ(troubles.Failing(At(100) + minutes(59)).size(), 1u);
}

TEST(Troubles, StreamsFailAndWorkOneByOne) {
  Troubles troubles("bus-redis");
  troubles.StreamFailed("a", "WRONGTYPE", At(1), At(2));
  troubles.StreamFailed("b", "OOM", At(1), At(2));
  troubles.StreamWorks("a");
  const auto failing = troubles.Failing(At(2));
  ASSERT_EQ(failing.size(), 1u);
  EXPECT_EQ(failing[0].subject, "outbox: stream b of bus-redis");
}

TEST(Troubles, BlockedKeysAreAWarningWhileTheProcessorRuns) {
  Troubles troubles("bus-redis");
  troubles.Blocked(2, At(1));
  troubles.Seen(BootTime(minutes(30)));
  const auto failing = troubles.Failing(BootTime(minutes(30)));
  ASSERT_EQ(failing.size(), 1u);
  EXPECT_EQ(failing[0].severity, Severity::kWarning);
  troubles.Forget();
  EXPECT_TRUE(troubles.Failing(BootTime(minutes(30))).empty());
}

}  // namespace
}  // namespace summa::outbox
