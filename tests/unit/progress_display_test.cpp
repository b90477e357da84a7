#include <gtest/gtest.h>

#include "host/cli/progress_display.hpp"

namespace summa::host {
namespace {

using namespace std::chrono_literals;

TEST(ProgressDisplay, DrawsABarWithRateAndTimeLeftOnATerminal) {
  ProgressDisplay display(/*terminal=*/true);
  EXPECT_EQ(display.Line("copy", 0, 1000, BootTime(1h)),
            "copy: [--------------------] 0 of 1000 (0%)");
  EXPECT_EQ(display.Line("copy", 250, 1000, BootTime(1h + 1s)),
            "copy: [#####---------------] 250 of 1000 (25%), 250/s, about 4 s left");
  EXPECT_EQ(display.Line("copy", 1000, 1000, BootTime(1h + 4s)).value().substr(0, 48),
            "copy: [####################] 1000 of 1000 (100%)");
}

TEST(ProgressDisplay, WritesPlainLinesElsewhereAndSeldom) {
  ProgressDisplay display(/*terminal=*/false);
  EXPECT_EQ(display.Line("copy", 0, 1000, BootTime(1h)), "copy: 0 of 1000 (0%)");
  EXPECT_FALSE(display.Line("copy", 100, 1000, BootTime(1h + 1s)));
  EXPECT_EQ(display.Line("copy", 200, 1000, BootTime(1h + 2s)),
            "copy: 200 of 1000 (20%), 100/s, about 9 s left");
  EXPECT_TRUE(display.Line("copy", 1000, 1000, BootTime(1h + 2100ms))) << "the end is always said";
}

TEST(ProgressDisplay, SaysNothingTwice) {
  ProgressDisplay display(/*terminal=*/false);
  EXPECT_TRUE(display.Line("copy", 100, 1000, BootTime(1h)));
  EXPECT_FALSE(display.Line("copy", 100, 1000, BootTime(1h + 5s)));
  EXPECT_TRUE(display.Line("copy", 1000, 1000, BootTime(1h + 6s)));
  EXPECT_FALSE(display.Line("copy", 1000, 1000, BootTime(1h + 9s)));
  EXPECT_TRUE(display.Line("check", 1000, 1000, BootTime(1h + 9s)));
}

TEST(ProgressDisplay, NothingIsMoreThanWhole) {
  ProgressDisplay display(/*terminal=*/false);
  EXPECT_EQ(display.Line("copy", 1200, 1000, BootTime(1h)), "copy: 1200 of 1200 (100%)");
}

// What was done before somebody looked says nothing of the rate.
TEST(ProgressDisplay, CountsTheRateFromTheFirstLookOn) {
  ProgressDisplay display(false);
  EXPECT_EQ(display.Line("copy", 900, 1000, BootTime(1h)), "copy: 900 of 1000 (90%)");
  EXPECT_EQ(display.Line("copy", 920, 1000, BootTime(1h + 2s)),
            "copy: 920 of 1000 (92%), 10/s, about 9 s left");
}

TEST(ProgressDisplay, AnotherStageHasARateOfItsOwn) {
  ProgressDisplay display(false);
  display.Line("first", 0, 1000, BootTime(1h));
  display.Line("first", 1000, 1000, BootTime(1h + 1s));
  EXPECT_EQ(display.Line("second", 10, 1000, BootTime(1h + 4s)), "second: 10 of 1000 (1%)");
}

TEST(ProgressDisplay, WithoutATotalThereIsNoEnd) {
  ProgressDisplay display(true);
  display.Line("copy", 0, 0, BootTime(1h));
  EXPECT_EQ(display.Line("copy", 50, 0, BootTime(1h + 1s)), "copy: 50, 50/s");
}

TEST(TimeLeft, IsSaidInTwoUnitsAtMost) {
  EXPECT_EQ(TimeLeft(7), "7 s");
  EXPECT_EQ(TimeLeft(119), "119 s");
  EXPECT_EQ(TimeLeft(720), "12 min");
  EXPECT_EQ(TimeLeft(12'000), "3 h 20 min");
  EXPECT_EQ(TimeLeft(187'200), "2 d 4 h");
  EXPECT_EQ(TimeLeft(86'400), "1 d");
}

}  // namespace
}  // namespace summa::host
