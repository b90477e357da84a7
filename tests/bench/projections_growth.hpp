// What it costs to apply an event when ledger and read models have grown.
#pragma once

#include <string>

#include "tests/bench/lines.hpp"

namespace summa::bench {

// "1000000,20000000": numbers of events.
struct GrowthSizes {
  long long from = 0, to = 0;
};
// Throws when the text is not of that form.
GrowthSizes ParseGrowth(const std::string& text);

// Two ledgers of these sizes, with read models that the plugin has made of all of it, on one server
// at the same time. In each round, both get as many new events, which are then applied, one ledger
// after the other. Says how much disk it needs, and refuses to begin where there is less.
void MeasureProjectionGrowth(const GrowthSizes& sizes, long long accounts, Lines& lines);

}  // namespace summa::bench
