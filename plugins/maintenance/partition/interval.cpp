#include "partition/interval.hpp"

#include <array>
#include <cstdio>

namespace summa::maintenance {

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::sys_days;

constexpr UnixTime kEndOfCalendar = sys_days(std::chrono::year(10000) / 1 / 1);

constexpr std::array<const char*, 4> kNames = {"hourly", "daily", "weekly", "monthly"};

sys_days MondayOf(sys_days day) { return day - (std::chrono::weekday(day) - std::chrono::Monday); }

sys_days FirstOfMonth(sys_days day) {
  const std::chrono::year_month_day date(day);
  return date.year() / date.month() / 1;
}

sys_days FirstOfNextMonth(sys_days day) {
  const std::chrono::year_month_day date(day);
  return (date.year() / date.month() + std::chrono::months(1)) / 1;
}

Range Between(UnixTime from, UnixTime to) { return {ToDatabase(from), ToDatabase(to)}; }

bool AtEndOfCalendar(const Range& range) { return ToUnix(range.to) >= kEndOfCalendar; }

std::string Padded(int number, int digits) {
  char text[16];
  const int size = std::snprintf(text, sizeof text, "%0*d", digits, number);
  return {text, static_cast<std::size_t>(size)};
}

std::string MonthText(const std::chrono::year_month_day& date) {
  return Padded(static_cast<int>(date.year()), 4) + "_" +
         Padded(static_cast<int>(static_cast<unsigned>(date.month())), 2);
}

std::string DayText(const std::chrono::year_month_day& date) {
  return MonthText(date) + "_" + Padded(static_cast<int>(static_cast<unsigned>(date.day())), 2);
}

// The year of a week, and of all its days, is the year of its Thursday.
std::string WeekText(sys_days monday) {
  const sys_days thursday = monday + days(3);
  const std::chrono::year year = std::chrono::year_month_day(thursday).year();
  const auto week = (thursday - sys_days(year / 1 / 1)).count() / 7 + 1;
  return Padded(static_cast<int>(year), 4) + "_w" + Padded(static_cast<int>(week), 2);
}

}  // namespace

std::optional<Interval> IntervalOf(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<Interval>(i);
  }
  return std::nullopt;
}

const char* NameOf(Interval interval) { return kNames[static_cast<std::size_t>(interval)]; }

Range RangeAt(Interval interval, DatabaseTime at) {
  const UnixTime time = InCalendar(ToUnix(at));
  const sys_days day = floor<days>(time);
  switch (interval) {
    case Interval::kHourly:
      return Between(floor<hours>(time), floor<hours>(time) + hours(1));
    case Interval::kDaily:
      return Between(day, day + days(1));
    case Interval::kWeekly:
      return Between(MondayOf(day), MondayOf(day) + days(7));
    case Interval::kMonthly:
      break;
  }
  return Between(FirstOfMonth(day), FirstOfNextMonth(day));
}

std::vector<Range> RangesOver(Interval interval, const Range& covered) {
  std::vector<Range> ranges;
  if (covered.from >= covered.to) return ranges;
  ranges.push_back(RangeAt(interval, covered.from));
  while (ranges.back().to < covered.to && !AtEndOfCalendar(ranges.back())) {
    ranges.push_back(RangeAt(interval, ranges.back().to));
  }
  return ranges;
}

std::vector<Range> RangesFrom(Interval interval, DatabaseTime at, int ahead) {
  std::vector<Range> ranges = {RangeAt(interval, at)};
  for (int i = 0; i < ahead && !AtEndOfCalendar(ranges.back()); ++i) {
    ranges.push_back(RangeAt(interval, ranges.back().to));
  }
  return ranges;
}

std::string SuffixOf(Interval interval, DatabaseTime from) {
  const UnixTime begin = ToUnix(RangeAt(interval, from).from);
  const sys_days day = floor<days>(begin);
  switch (interval) {
    case Interval::kHourly:
      return DayText(day) + "t" + Padded(static_cast<int>(floor<hours>(begin - day).count()), 2);
    case Interval::kDaily:
      return DayText(day);
    case Interval::kWeekly:
      return WeekText(day);
    case Interval::kMonthly:
      break;
  }
  return MonthText(day);
}

}  // namespace summa::maintenance
