#include "partition/advice.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ratio>

namespace summa::maintenance {

namespace {

using Days = std::chrono::duration<double, std::ratio<86400>>;

constexpr Days kRecent(7);
constexpr Days kYear(365.2425);

struct Growth {
  Days measured{0};
  double rows = 0, bytes = 0;

  double RowsPerDay() const { return measured.count() > 0 ? rows / measured.count() : 0; }
  double BytesPerDay() const { return measured.count() > 0 ? bytes / measured.count() : 0; }
};

Days LongestLength(Interval interval) {
  switch (interval) {
    case Interval::kHourly:
      return std::chrono::hours(1);
    case Interval::kDaily:
      return Days(1);
    case Interval::kWeekly:
      return Days(7);
    case Interval::kMonthly:
      break;
  }
  return Days(31);
}

Days MeanLength(Interval interval) {
  return interval == Interval::kMonthly ? kYear / 12 : LongestLength(interval);
}

// Those that are known, the latest first.
std::vector<MeasuredRange> Usable(const Measurement& measurement) {
  std::vector<MeasuredRange> usable;
  for (const MeasuredRange& measured : measurement.ranges) {
    const bool bounded =
        measured.range.from != DatabaseTime::min() && measured.range.to != DatabaseTime::max();
    if (bounded && measured.rows >= 0 && measured.range.from < measurement.now) {
      usable.push_back(measured);
    }
  }
  std::sort(usable.begin(), usable.end(), [](const MeasuredRange& a, const MeasuredRange& b) {
    return a.range.from > b.range.from;
  });
  return usable;
}

// Of the latest ranges, until they are at least as long as `most` together.
Growth GrowthOf(const std::vector<MeasuredRange>& ranges, DatabaseTime now, Days most) {
  Growth growth;
  for (const MeasuredRange& measured : ranges) {
    if (growth.measured >= most) break;
    growth.measured += std::min(measured.range.to, now) - measured.range.from;
    growth.rows += measured.rows;
    growth.bytes += static_cast<double>(measured.bytes);
  }
  return growth;
}

std::int64_t PartitionsOf(Interval interval, const Measurement& measurement) {
  const auto ranges = [interval](Days span) {
    return static_cast<std::int64_t>(std::ceil(span / MeanLength(interval)));
  };
  if (!measurement.retention) return ranges(kYear);
  // Where the retention begins inside of a range, there is one more. Two are for overflow.
  return ranges(*measurement.retention) + 1 + measurement.ahead + 2;
}

void Expect(Interval interval, const Measurement& measurement, Advice& advice) {
  advice.interval = interval;
  advice.rows_per_partition = advice.rows_per_day * LongestLength(interval).count();
  advice.bytes_per_partition = advice.bytes_per_day * LongestLength(interval).count();
  advice.partitions = PartitionsOf(interval, measurement);
  advice.relations = advice.partitions * (1 + measurement.indexes);
}

bool SmallEnough(const Advice& advice) {
  return advice.rows_per_partition < kMostRowsOfPartition &&
         advice.bytes_per_partition < kMostBytesOfPartition;
}

std::string Rounded(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", value < 10 && value > 0 ? 1 : 0, value);
  return text;
}

std::string RowsText(double rows) {
  return rows < 1e6 ? Rounded(rows) + " rows" : Rounded(rows / 1e6) + " million rows";
}

std::string BytesText(double bytes) {
  return bytes < 1e9 ? Rounded(bytes / 1e6) + " MB" : Rounded(bytes / 1e9) + " GB";
}

std::string SizeText(double rows, double bytes) {
  return RowsText(rows) + " and " + BytesText(bytes);
}

std::string WhyOf(const Advice& advice, const Measurement& measurement) {
  std::string why = "The table grows by " + SizeText(advice.rows_per_day, advice.bytes_per_day) +
                    " a day, so that a " + NameOf(*advice.interval) + " partition has up to " +
                    SizeText(advice.rows_per_partition, advice.bytes_per_partition);
  why += SmallEnough(advice) ? " (below the limits of " : " (above the limits of ";
  why += SizeText(kMostRowsOfPartition, kMostBytesOfPartition) + "). ";
  why += measurement.retention ? "The retention keeps " : "Without a retention, each year adds ";
  why += std::to_string(advice.partitions) + " partitions, " + std::to_string(advice.relations) +
         " relations with their indexes";
  if (advice.relations > kMostRelations) {
    why += ", more than the " + std::to_string(kMostRelations) +
           " that a query can lock with PostgreSQL's default settings: raise "
           "max_locks_per_transaction, or shorten the retention";
  }
  return why + ".";
}

}  // namespace

Advice AdviseInterval(const Measurement& measurement) {
  const std::vector<MeasuredRange> ranges = Usable(measurement);
  const Growth all = GrowthOf(ranges, measurement.now, Days::max());
  const Growth recent = GrowthOf(ranges, measurement.now, kRecent);
  Advice advice;
  advice.rows_per_day = std::max(all.RowsPerDay(), recent.RowsPerDay());
  advice.bytes_per_day = std::max(all.BytesPerDay(), recent.BytesPerDay());
  if (all.measured < Days(1)) {
    advice.why = "Less than a day was measured: there is nothing to expect growth from.";
    return advice;
  }
  for (const Interval interval :
       {Interval::kMonthly, Interval::kWeekly, Interval::kDaily, Interval::kHourly}) {
    Expect(interval, measurement, advice);
    if (SmallEnough(advice)) break;
  }
  advice.within_limits = SmallEnough(advice) && advice.relations <= kMostRelations;
  advice.why = WhyOf(advice, measurement);
  return advice;
}

}  // namespace summa::maintenance
