#include <gtest/gtest.h>

#include "host/schedule/idle_pause.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(IdlePause, KnownWorkIsDoneAtOnce) {
  IdlePause pause(milliseconds(20));
  EXPECT_EQ(pause.After(true, 10, std::nullopt), Microseconds(0));
  EXPECT_EQ(pause.After(true, 1, seconds(5)), Microseconds(0));
}

// Each of the three asks to be called at once, and does nothing.
TEST(IdlePause, OneThatAsksInVainIsCalledLessOftenUntilItDoesSomething) {
  struct Case {
    bool backlog;
    std::optional<Microseconds> hint;
  };
  for (const Case& each : {Case{true, std::nullopt}, Case{true, Microseconds(0)},
                           Case{false, Microseconds(0)}, Case{false, Microseconds(999)}}) {
    IdlePause pause(milliseconds(20));
    Microseconds all{0};
    for (int i = 0; i < 12; ++i) all += pause.After(each.backlog, 0, each.hint);
    EXPECT_GE(all, seconds(1));
    EXPECT_EQ(pause.After(each.backlog, 0, each.hint), seconds(1));
    EXPECT_EQ(pause.in_vain(), 13);
    EXPECT_EQ(pause.After(true, 1, std::nullopt), Microseconds(0));
    EXPECT_EQ(pause.in_vain(), 0);
    EXPECT_EQ(pause.After(each.backlog, 0, each.hint), milliseconds(1));
  }
}

TEST(IdlePause, WorkWithoutABacklogIsNoReasonToHurry) {
  IdlePause pause(milliseconds(20));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pause.After(false, 3, std::nullopt), milliseconds(20));
  EXPECT_EQ(pause.After(false, 3, milliseconds(2)), milliseconds(2)) << "it asked for that";
  EXPECT_EQ(pause.After(false, 3, seconds(2)), milliseconds(20));
}

TEST(IdlePause, AnIdleWorkerBacksOffToIdlePoll) {
  IdlePause pause(milliseconds(20));
  for (const int expected : {1, 2, 4, 8, 16, 20, 20}) {
    EXPECT_EQ(pause.After(false, 0, std::nullopt), milliseconds(expected));
  }
}

TEST(IdlePause, WorkMakesItQuickAgain) {
  IdlePause pause(milliseconds(20));
  for (int i = 0; i < 10; ++i) pause.After(false, 0, std::nullopt);
  EXPECT_EQ(pause.After(false, 3, milliseconds(1)), milliseconds(1));
  EXPECT_EQ(pause.After(false, 0, std::nullopt), milliseconds(1));
}

TEST(IdlePause, TheHintOfTheWorkerCapsThePauseButNeverStretchesIt) {
  IdlePause pause(milliseconds(20));
  for (int i = 0; i < 10; ++i) pause.After(false, 0, std::nullopt);
  EXPECT_EQ(pause.After(false, 0, milliseconds(3)), milliseconds(3));
  EXPECT_EQ(pause.After(false, 0, seconds(3)), milliseconds(20));
}

TEST(IdlePause, AnIdlePollBelowAMillisecondIsKept) {
  IdlePause pause(Microseconds(200));
  EXPECT_EQ(pause.After(false, 0, std::nullopt), Microseconds(200));
  EXPECT_EQ(pause.After(false, 0, std::nullopt), Microseconds(200));
}

}  // namespace
}  // namespace summa::host
