// The calendar arithmetic against that of the C library (timegm, gmtime_r).
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "partition/interval.hpp"
#include "partition/names.hpp"

namespace summa::maintenance {
namespace {

constexpr std::int64_t kMillion = 1'000'000;
constexpr std::int64_t kYear2000 = 946'684'800;       // date -ud 2000-01-01 +%s
constexpr std::int64_t kYear10000 = 253'402'300'800;  // date -ud 10000-01-01 +%s
constexpr std::array<Interval, 4> kIntervals = {Interval::kHourly, Interval::kDaily,
                                                Interval::kWeekly, Interval::kMonthly};

DatabaseTime At(std::int64_t unix_seconds, std::int64_t microseconds = 0) {
  return FromMicroseconds<DatabaseTime>((unix_seconds - kYear2000) * kMillion + microseconds);
}

DatabaseTime At(int year, int month, int day, int hour = 0) {
  std::tm fields{};
  fields.tm_year = year - 1900;
  fields.tm_mon = month - 1;
  fields.tm_mday = day;
  fields.tm_hour = hour;
  return At(timegm(&fields));
}

std::tm FieldsOf(std::int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm fields{};
  gmtime_r(&time, &fields);
  return fields;
}

std::int64_t SecondsOf(std::tm fields) { return timegm(&fields); }

struct Expected {
  std::int64_t from, to;  // Unix seconds
  std::string suffix;
};

std::string Formatted(const char* format, std::int64_t unix_seconds) {
  const std::tm fields = FieldsOf(unix_seconds);
  const int year = fields.tm_year + 1900;
  char text[64];
  if (std::string(format) == "week") {
    // The week that Thursday is in; its number is the days of the year before it, by seven.
    const std::tm thursday = FieldsOf(unix_seconds + 3 * 86400);
    std::snprintf(text, sizeof text, "%04d_w%02d", thursday.tm_year + 1900,
                  thursday.tm_yday / 7 + 1);
    return text;
  }
  std::snprintf(text, sizeof text, "%04d_%02d_%02dt%02d", year, fields.tm_mon + 1, fields.tm_mday,
                fields.tm_hour);
  const std::string whole = text;
  if (std::string(format) == "month") return whole.substr(0, 7);
  return std::string(format) == "day" ? whole.substr(0, 10) : whole;
}

Expected Oracle(Interval interval, std::int64_t unix_seconds) {
  std::tm from = FieldsOf(unix_seconds);
  from.tm_min = from.tm_sec = 0;
  std::tm to = from;
  const char* format = "hour";
  switch (interval) {
    case Interval::kHourly:
      ++to.tm_hour;
      break;
    case Interval::kDaily:
      from.tm_hour = to.tm_hour = 0;
      ++to.tm_mday;
      format = "day";
      break;
    case Interval::kWeekly:
      from.tm_hour = to.tm_hour = 0;
      from.tm_mday -= (from.tm_wday + 6) % 7;
      to.tm_mday = from.tm_mday + 7;
      format = "week";
      break;
    case Interval::kMonthly:
      from.tm_hour = to.tm_hour = 0;
      from.tm_mday = to.tm_mday = 1;
      ++to.tm_mon;
      format = "month";
      break;
  }
  const std::int64_t begin = SecondsOf(from);
  return {begin, SecondsOf(to), Formatted(format, begin)};
}

// Any time of the years 1 to 9999, or near to where years, months, centuries and leap days begin.
std::int64_t RandomTime(std::mt19937_64& random) {
  const auto any = [&random](int from, int to) {
    return std::uniform_int_distribution<int>(from, to)(random);
  };
  std::tm fields{};
  switch (any(0, 3)) {
    case 0:
      fields.tm_year = any(1, 9999);
      break;
    case 1:
      fields.tm_year = any(1990, 2060);
      break;
    case 2:
      fields.tm_year = any(1, 99) * 100;
      break;
    default:
      fields.tm_year = any(1, 2499) * 4;
      break;
  }
  fields.tm_year -= 1900;
  constexpr std::array<std::array<int, 2>, 8> kEdges = {
      {{0, 1}, {0, 31}, {1, 28}, {1, 29}, {2, 1}, {3, 30}, {11, 28}, {11, 31}}};
  if (any(0, 1) == 0) {
    const auto& edge = kEdges[static_cast<std::size_t>(any(0, 7))];
    fields.tm_mon = edge[0];
    fields.tm_mday = edge[1];
  } else {
    fields.tm_mon = any(0, 11);
    fields.tm_mday = any(1, 28);
  }
  fields.tm_hour = any(0, 2) == 0 ? 23 : any(0, 23);
  fields.tm_min = any(0, 2) == 0 ? 59 : any(0, 59);
  fields.tm_sec = any(0, 2) == 0 ? 59 : any(0, 59);
  return SecondsOf(fields);
}

TEST(PartitionInterval, AgreesWithTheCLibraryForTenThousandTimes) {
  constexpr std::uint64_t kSeed = 20261130;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 10'000; ++i) {
    const std::int64_t time = RandomTime(random);
    const std::int64_t fraction = i % 3 == 0 ? 0 : i % 3 == 1 ? kMillion - 1 : 123'456;
    for (const Interval interval : kIntervals) {
      SCOPED_TRACE("seed " + std::to_string(kSeed) + ", number " + std::to_string(i) + ", " +
                   NameOf(interval) + " at " + std::to_string(time));
      const Expected expected = Oracle(interval, time);
      const Range range = RangeAt(interval, At(time, fraction));
      ASSERT_EQ(range, (Range{At(expected.from), At(expected.to)}));
      ASSERT_EQ(SuffixOf(interval, range.from), expected.suffix);
    }
  }
}

TEST(PartitionInterval, RangesFollowEachOtherAsTheCLibraryCounts) {
  constexpr std::uint64_t kSeed = 7;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t time = RandomTime(random);
    const int ahead = static_cast<int>(random() % 30);
    for (const Interval interval : kIntervals) {
      SCOPED_TRACE("seed " + std::to_string(kSeed) + ", number " + std::to_string(i) + ", " +
                   NameOf(interval) + " at " + std::to_string(time));
      const std::vector<Range> ranges = RangesFrom(interval, At(time), ahead);
      std::vector<Range> expected;
      std::int64_t next = time;
      while (expected.size() <= static_cast<std::size_t>(ahead) && next < kYear10000) {
        const Expected one = Oracle(interval, next);
        expected.push_back({At(one.from), At(one.to)});
        next = one.to;
      }
      ASSERT_EQ(ranges, expected);
      ASSERT_EQ(RangesOver(interval, {At(time), ranges.back().to}), ranges);
    }
  }
}

TEST(PartitionInterval, KnowsLeapDaysAndCenturies) {
  const auto length = [](int year) {
    const Range february = RangeAt(Interval::kMonthly, At(year, 2, 14));
    return (february.to - february.from) / std::chrono::hours(24);
  };
  EXPECT_EQ(length(2024), 29);
  EXPECT_EQ(length(2026), 28);
  EXPECT_EQ(length(2000), 29);
  EXPECT_EQ(length(2100), 28);
}

TEST(PartitionInterval, AMonthAfterThe31stOfJanuaryIsFebruary) {
  const std::vector<Range> ranges = RangesFrom(Interval::kMonthly, At(2026, 1, 31, 23), 2);
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[1], (Range{At(2026, 2, 1), At(2026, 3, 1)}));
  EXPECT_EQ(ranges[2], (Range{At(2026, 3, 1), At(2026, 4, 1)}));
}

TEST(PartitionInterval, WeeksAreNamedByIso8601) {
  EXPECT_EQ(SuffixOf(Interval::kWeekly, At(2021, 1, 3)), "2020_w53");
  EXPECT_EQ(SuffixOf(Interval::kWeekly, At(2021, 1, 4)), "2021_w01");
  EXPECT_EQ(SuffixOf(Interval::kWeekly, At(2024, 12, 30)), "2025_w01");
  EXPECT_EQ(SuffixOf(Interval::kWeekly, At(2026, 12, 31)), "2026_w53");
  EXPECT_EQ(SuffixOf(Interval::kWeekly, At(2026, 2, 1)), "2026_w05");
}

TEST(PartitionInterval, OutsideOfTheCalendarCountsAsItsFirstOrLastRange) {
  for (const Interval interval : kIntervals) {
    EXPECT_EQ(RangeAt(interval, DatabaseTime::min()), RangeAt(interval, At(1, 1, 1)));
    EXPECT_EQ(RangeAt(interval, DatabaseTime::max()), RangeAt(interval, At(9999, 12, 31, 23)));
    EXPECT_EQ(RangesFrom(interval, DatabaseTime::max(), 5).size(), 1u);
    EXPECT_EQ(RangesOver(interval, {At(9999, 12, 31, 23), DatabaseTime::max()}).size(), 1u);
  }
}

TEST(PartitionInterval, NothingCoversAnEmptyRange) {
  EXPECT_TRUE(RangesOver(Interval::kDaily, {At(2026, 1, 1), At(2026, 1, 1)}).empty());
  EXPECT_TRUE(RangesOver(Interval::kDaily, {At(2026, 1, 2), At(2026, 1, 1)}).empty());
}

TEST(PartitionInterval, HasFourNames) {
  for (const Interval interval : kIntervals) EXPECT_EQ(IntervalOf(NameOf(interval)), interval);
  EXPECT_EQ(IntervalOf("yearly"), std::nullopt);
  EXPECT_EQ(IntervalOf(""), std::nullopt);
}

// --- names ---

TEST(PartitionName, IsTheTableAndTheSuffixWhereTheyFit) {
  EXPECT_EQ(PartitionName("ledger_event", "2026_01"), "ledger_event_2026_01");
  EXPECT_EQ(PartitionName(std::string(55, 'x'), "2026_01"), std::string(55, 'x') + "_2026_01");
}

TEST(PartitionName, OfALongTableFitsAndDiffersForEachSuffix) {
  const std::string table(63, 'x');
  const std::string january = PartitionName(table, "2026_01");
  EXPECT_EQ(january.size(), 63u);
  EXPECT_EQ(january, PartitionName(table, "2026_01"));
  EXPECT_NE(january, PartitionName(table, "2026_02"));
  EXPECT_NE(january, PartitionName(std::string(62, 'x') + "y", "2026_01"));
}

TEST(PartitionName, CutsNoCharacterOfUtf8InTwo) {
  for (std::size_t before = 0; before < 4; ++before) {
    std::string table(before, 'x');
    while (table.size() < 60) table += "\u20ac";
    const std::string name = PartitionName(table, "2026_01");
    EXPECT_LE(name.size(), 63u);
    const std::string kept = name.substr(0, name.find('_'));
    EXPECT_EQ((kept.size() - before) % 3, 0u) << name;
  }
}

}  // namespace
}  // namespace summa::maintenance
