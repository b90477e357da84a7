// Ranges of time by which a table is partitioned: calendar arithmetic in UTC, nothing else. Pure.
#pragma once

#include <summa/time.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace summa::maintenance {

// A week begins on Monday (ISO-8601).
enum class Interval { kHourly, kDaily, kWeekly, kMonthly };

std::optional<Interval> IntervalOf(std::string_view name);  // "hourly" .. "monthly"
const char* NameOf(Interval interval);

// From `from`, which belongs to it, to `to`, which does not.
struct Range {
  DatabaseTime from, to;
  friend bool operator==(const Range&, const Range&) = default;
};

// The range that contains `at`. Instants outside of the calendar (years 1 to 9999) count as its
// first or last one.
Range RangeAt(Interval interval, DatabaseTime at);
// The ranges that cover `covered`, in order and without a gap; the first and the last may extend
// beyond it. Nothing when it is empty.
std::vector<Range> RangesOver(Interval interval, const Range& covered);
// The range that contains `at`, and the `ahead` ranges after it; fewer where the calendar ends.
std::vector<Range> RangesFrom(Interval interval, DatabaseTime at, int ahead);

// The end of the name of the range that contains `from`: 2026_01, 2026_w05 (year and week of
// ISO-8601), 2026_01_31, 2026_01_31t13.
std::string SuffixOf(Interval interval, DatabaseTime from);

}  // namespace summa::maintenance
