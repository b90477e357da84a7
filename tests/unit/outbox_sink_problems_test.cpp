#include <chrono>

#include <gtest/gtest.h>

#include "sink_problems.hpp"

namespace summa::outbox {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

BootTime At(int second) { return BootTime(seconds(second)); }

TEST(SinkProblems, ASinkThatFailsIsNamedSinceItsFirstFailureUntilItWorks) {
  SinkProblems problems("bus-redis");
  problems.SinkFailed("refused", "start it", At(100), At(101));
  problems.SinkFailed("timed out", "start it", At(110), At(112));
  const auto failing = problems.Failing(At(111));
  ASSERT_EQ(failing.size(), 1u);
  EXPECT_EQ(failing[0].severity, Severity::kError);
  EXPECT_EQ(failing[0].found, "SH-0501 has accepted no messages for 11 s: timed out");
  EXPECT_EQ(failing[0].fix, "start it");
  problems.SinkWorks();
  EXPECT_TRUE(problems.Failing(At(112)).empty());
}

TEST(SinkProblems, OfWhatIsTriedNoMoreNothingIsSaid) {
  SinkProblems problems("bus-redis");
  problems.SinkFailed("refused", "", At(100), At(101));
  problems.StreamFailed("credited", "WRONGTYPE", At(100), At(101));
  problems.Blocked(3, At(100));
  EXPECT_EQ(problems.Failing(At(101) + minutes(1)).size(), 2u);
  EXPECT_TRUE(problems.Failing(At(102) + minutes(1)).empty());
}

TEST(SinkProblems, ALongPauseIsNotForgottenBeforeItEnds) {
  SinkProblems problems("bus-redis");
  problems.SinkFailed("refused", "", At(100), At(100) + hours(1));
  EXPECT_EQ(problems.Failing(At(100) + minutes(59)).size(), 1u);
}

TEST(SinkProblems, StreamsFailAndWorkOneByOne) {
  SinkProblems problems("bus-redis");
  problems.StreamFailed("a", "WRONGTYPE", At(1), At(2));
  problems.StreamFailed("b", "OOM", At(1), At(2));
  problems.StreamWorks("a");
  const auto failing = problems.Failing(At(2));
  ASSERT_EQ(failing.size(), 1u);
  EXPECT_EQ(failing[0].subject, "outbox: stream b of bus-redis");
}

TEST(SinkProblems, BlockedKeysAreAWarningWhileTheProcessorRuns) {
  SinkProblems problems("bus-redis");
  problems.Blocked(2, At(1));
  problems.Refresh(BootTime(minutes(30)));
  const auto failing = problems.Failing(BootTime(minutes(30)));
  ASSERT_EQ(failing.size(), 1u);
  EXPECT_EQ(failing[0].severity, Severity::kWarning);
  problems.Forget();
  EXPECT_TRUE(problems.Failing(BootTime(minutes(30))).empty());
}

}  // namespace
}  // namespace summa::outbox
