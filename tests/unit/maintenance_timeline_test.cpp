// The bars of `partitions list`.
#include "partition_timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace summa::maintenance {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

DatabaseTime Day(int n) { return DatabaseTime(std::chrono::hours(24) * n); }

TEST(Timeline, PastCurrentAheadDetachedAndOverflowHaveMarksOfTheirOwn) {
  const auto lines = DrawTimeline({{{DatabaseTime::min(), Day(10)}, true},
                                   {{Day(0), Day(10)}, false},
                                   {{Day(10), Day(20)}, true},
                                   {{Day(20), Day(30)}, true},
                                   {{Day(30), Day(40)}, true},
                                   {{Day(40), DatabaseTime::max()}, true}},
                                  Day(25));
  ASSERT_EQ(lines.size(), 6u);
  const char marks[] = {'<', '.', '=', '#', '+', '>'};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].size(), lines[0].size());
    EXPECT_THAT(lines[i], HasSubstr(std::string(1, marks[i])));
    for (const char other : marks) {
      if (other != marks[i]) {
        EXPECT_THAT(lines[i], Not(HasSubstr(std::string(1, other))));
      }
    }
  }
}

TEST(Timeline, ARemainderHasAMarkOfItsOwn) {
  const auto lines =
      DrawTimeline({{{Day(0), Day(10)}, true, true}, {{Day(10), Day(20)}, true}}, Day(25));
  EXPECT_THAT(lines[0], HasSubstr("---"));
  EXPECT_THAT(lines[0], Not(HasSubstr("=")));
}

TEST(Timeline, BarsOfRangesWithoutAGapTouchAndOthersDoNot) {
  const auto lines = DrawTimeline(
      {{{Day(0), Day(10)}, true}, {{Day(10), Day(20)}, true}, {{Day(30), Day(40)}, true}}, Day(50));
  EXPECT_EQ(lines[0].find_last_of('=') + 1, lines[1].find('='));
  EXPECT_GT(lines[2].find('='), lines[1].find_last_of('=') + 1);
}

TEST(Timeline, ManyShortRangesEachHaveABar) {
  std::vector<TimelineBar> bars;
  for (int i = 0; i < 500; ++i) bars.push_back({{Day(i), Day(i + 1)}, true});
  for (const std::string& line : DrawTimeline(bars, Day(600))) EXPECT_THAT(line, HasSubstr("="));
}

}  // namespace
}  // namespace summa::maintenance
