#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>

#include "partition/advice.hpp"

namespace summa::maintenance {
namespace {

using testing::HasSubstr;

constexpr std::chrono::hours kDay(24);

DatabaseTime Day(int number) { return DatabaseTime() + kDay * number; }

// A range for each of 30 days, all alike.
Measurement Daily(double rows, std::int64_t bytes) {
  Measurement measurement;
  measurement.now = Day(30);
  for (int i = 0; i < 30; ++i) measurement.ranges.push_back({{Day(i), Day(i + 1)}, rows, bytes});
  return measurement;
}

std::optional<Interval> Advised(double rows, std::int64_t bytes) {
  return AdviseInterval(Daily(rows, bytes)).interval;
}

TEST(PartitionAdvice, IsTheLongestIntervalBelowBothLimits) {
  EXPECT_EQ(Advised(3.2e6, 1'000'000), Interval::kMonthly);  // 99.2 million in 31 days
  EXPECT_EQ(Advised(3.3e6, 1'000'000), Interval::kWeekly);
  EXPECT_EQ(Advised(14e6, 1'000'000), Interval::kWeekly);
  EXPECT_EQ(Advised(15e6, 1'000'000), Interval::kDaily);
  EXPECT_EQ(Advised(101e6, 1'000'000), Interval::kHourly);
  EXPECT_EQ(Advised(1, 2'000'000'000), Interval::kWeekly) << "62 GB in 31 days";
  EXPECT_EQ(Advised(1, 60'000'000'000), Interval::kHourly);
}

TEST(PartitionAdvice, SaysThatEvenAnHourIsTooMuch) {
  const Advice advice = AdviseInterval(Daily(5e9, 1));
  EXPECT_EQ(advice.interval, Interval::kHourly);
  EXPECT_FALSE(advice.within_limits);
  EXPECT_THAT(advice.why, HasSubstr("above the limits"));
}

TEST(PartitionAdvice, CountsThePartitionsThatARetentionKeeps) {
  Measurement measurement = Daily(15e6, 1);
  measurement.retention = kDay * 90;
  measurement.ahead = 7;
  measurement.indexes = 4;
  const Advice advice = AdviseInterval(measurement);
  EXPECT_EQ(advice.interval, Interval::kDaily);
  EXPECT_EQ(advice.partitions, 100);  // 90, that of now, 7 ahead, 2 for overflow
  EXPECT_EQ(advice.relations, 500);
  EXPECT_TRUE(advice.within_limits);
  EXPECT_THAT(advice.why, HasSubstr("100 partitions, 500 relations"));
}

TEST(PartitionAdvice, WithoutRetentionCountsThoseOfAYear) {
  EXPECT_EQ(AdviseInterval(Daily(1, 1)).partitions, 12);
}

TEST(PartitionAdvice, WarnsOfMoreRelationsThanAQueryCanLock) {
  Measurement measurement = Daily(15e6, 1);
  measurement.retention = kDay * 3650;
  measurement.indexes = 4;
  const Advice advice = AdviseInterval(measurement);
  EXPECT_FALSE(advice.within_limits);
  EXPECT_THAT(advice.why, HasSubstr("max_locks_per_transaction"));
}

TEST(PartitionAdvice, ExpectsTheGrowthOfTheLastWeekWhereItIsFaster) {
  Measurement measurement = Daily(1000, 1);
  for (std::size_t i = 23; i < 30; ++i) measurement.ranges[i].rows = 8000;
  EXPECT_DOUBLE_EQ(AdviseInterval(measurement).rows_per_day, 8000);
}

TEST(PartitionAdvice, DividesTheRangeOfNowByTheTimeThatHasPassed) {
  Measurement measurement;
  measurement.now = Day(2);
  measurement.ranges = {{{Day(0), Day(28)}, 2000, 4000}};
  const Advice advice = AdviseInterval(measurement);
  EXPECT_DOUBLE_EQ(advice.rows_per_day, 1000);
  EXPECT_DOUBLE_EQ(advice.bytes_per_day, 2000);
}

TEST(PartitionAdvice, IgnoresOverflowFutureAndUnknownRanges) {
  Measurement measurement = Daily(1000, 1);
  measurement.ranges.push_back({{DatabaseTime::min(), Day(0)}, 1e12, 1});
  measurement.ranges.push_back({{Day(40), DatabaseTime::max()}, 1e12, 1});
  measurement.ranges.push_back({{Day(30), Day(31)}, 1e12, 1});
  measurement.ranges.push_back({{Day(-1), Day(0)}, -1, 1'000'000});
  EXPECT_DOUBLE_EQ(AdviseInterval(measurement).rows_per_day, 1000);
}

TEST(PartitionAdvice, AdvisesNothingWithoutADayOfMeasurement) {
  const Advice advice = AdviseInterval({});
  EXPECT_EQ(advice.interval, std::nullopt);
  EXPECT_THAT(advice.why, HasSubstr("Less than a day"));
}

}  // namespace
}  // namespace summa::maintenance
