// By which interval a table should be partitioned, from how fast it grows. Pure.
#pragma once

#include <summa/time.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "partition/interval.hpp"

namespace summa::maintenance {

// Above these, VACUUM of a partition, and building an index on it, take hours.
inline constexpr double kMostRowsOfPartition = 100e6;
inline constexpr double kMostBytesOfPartition = 50e9;
// Locks that a server with PostgreSQL's default settings has room for: 64 for each of 100
// connections. A query that cannot exclude partitions takes one for each of them and of their
// indexes.
inline constexpr std::int64_t kMostRelations = 6400;

struct MeasuredRange {
  Range range;
  double rows = -1;  // -1: unknown
  std::int64_t bytes = 0;
};

struct Measurement {
  DatabaseTime now;
  std::vector<MeasuredRange> ranges;  // in any order; overflow and future ranges are ignored
  int indexes = 0;                    // of each partition
  int ahead = 0;
  std::optional<std::chrono::microseconds> retention;
};

struct Advice {
  std::optional<Interval> interval;  // nothing: less than a day was measured
  double rows_per_day = 0, bytes_per_day = 0;
  double rows_per_partition = 0, bytes_per_partition = 0;
  // With a retention: the most that exist at a time, with those ahead of now and the two overflow
  // partitions. Without: those that each year adds.
  std::int64_t partitions = 0;
  std::int64_t relations = 0;  // the partitions and their indexes
  bool within_limits = false;  // all three of the above
  std::string why;
};

// The longest interval whose partitions stay below the limits, since few partitions cost queries
// the least; hourly if none does. It expects the growth of the last 7 days that were measured, or
// of all, whichever is faster.
Advice AdviseInterval(const Measurement& measurement);

}  // namespace summa::maintenance
