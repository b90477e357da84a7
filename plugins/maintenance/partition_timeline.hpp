// Partitions as bars on one line of time, for people. Pure.
#pragma once

#include <string>
#include <vector>

#include "partition/interval.hpp"

namespace summa::maintenance {

struct TimelineBar {
  Range range;
  bool attached = true;
  bool remainder = false;
};

// One text for each bar, in the same order, all of the same width. '=': attached and past,
// '#': the range of now, '+': ahead, '.': detached, '-': a remainder, '<' and '>': overflow. Time
// without a bar shows nowhere. '|' marks now where the bar is not.
std::vector<std::string> DrawTimeline(const std::vector<TimelineBar>& bars, DatabaseTime now);

}  // namespace summa::maintenance
