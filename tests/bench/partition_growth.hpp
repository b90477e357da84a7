// What everyday work costs when the ledger has grown.
#pragma once

#include <string>

namespace summa::bench {

// sizes: "1000000,20000000", numbers of events. Flat and partitioned ledgers of both, all of them on
// one server at the same time, so that each round measures them one after the other. Says how much
// disk they need, and refuses to begin where there is less.
void MeasureGrowth(const std::string& sizes, int months, bool json);

}  // namespace summa::bench
