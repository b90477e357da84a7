// The three measurements of `./dev bench outbox`. Each starts its own servers, prints its result
// and throws when the work was not done.
#pragma once

#include "tests/bench/report.hpp"

namespace summa::bench {

void MeasureThroughput(const Options& options);
void MeasureLatency(const Options& options);
void MeasureIdle(const Options& options);

}  // namespace summa::bench
