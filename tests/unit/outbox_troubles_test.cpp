#include <chrono>

#include <gtest/gtest.h>

#include "troubles.hpp"

namespace summa::outbox {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Troubles, ASinkThatFailsIsNamedSinceItsFirstFailureUntilItWorks) {
  Troubles troubles("bus-redis");
  troubles.SinkFailed("refused", "start it", seconds(100), seconds(101));
  troubles.SinkFailed("timed out", "start it", seconds(110), seconds(112));
  const auto failing = troubles.Failing(seconds(111));
  ASSERT_EQ(failing.size(), 1u);
  EXPECT_EQ(failing[0].severity, Severity::kError);
  EXPECT_EQ(failing[0].found, "SH-0501 takes no messages since 11 s: timed out");
  EXPECT_EQ(failing[0].fix, "start it");
  troubles.SinkWorks();
  EXPECT_TRUE(troubles.Failing(seconds(112)).empty());
}

TEST(Troubles, OfWhatIsTriedNoMoreNothingIsSaid) {
  Troubles troubles("bus-redis");
  troubles.SinkFailed("refused", "", seconds(100), seconds(101));
  troubles.StreamFailed("credited", "WRONGTYPE", seconds(100), seconds(101));
  troubles.Blocked(3, seconds(100));
  EXPECT_EQ(troubles.Failing(seconds(101) + minutes(1)).size(), 2u);
  EXPECT_TRUE(troubles.Failing(seconds(102) + minutes(1)).empty());
}

TEST(Troubles, ALongPauseIsNotForgottenBeforeItEnds) {
  Troubles troubles("bus-redis");
  troubles.SinkFailed("refused", "", seconds(100), seconds(100) + hours(1));
  EXPECT_EQ(troubles.Failing(seconds(100) + minutes(59)).size(), 1u);
}

TEST(Troubles, StreamsFailAndWorkOneByOne) {
  Troubles troubles("bus-redis");
  troubles.StreamFailed("a", "WRONGTYPE", seconds(1), seconds(2));
  troubles.StreamFailed("b", "OOM", seconds(1), seconds(2));
  troubles.StreamWorks("a");
  const auto failing = troubles.Failing(seconds(2));
  ASSERT_EQ(failing.size(), 1u);
  EXPECT_EQ(failing[0].subject, "outbox: stream b of bus-redis");
}

TEST(Troubles, BlockedKeysAreAWarningWhileTheProcessorRuns) {
  Troubles troubles("bus-redis");
  troubles.Blocked(2, seconds(1));
  troubles.Seen(minutes(30));
  const auto failing = troubles.Failing(minutes(30));
  ASSERT_EQ(failing.size(), 1u);
  EXPECT_EQ(failing[0].severity, Severity::kWarning);
  troubles.Forget();
  EXPECT_TRUE(troubles.Failing(minutes(30)).empty());
}

}  // namespace
}  // namespace summa::outbox
