#include "tests/bench/outbox_bench.hpp"

namespace summa::bench {
namespace {

int Run(int count, char** words) {
  const Options options(
      count, words,
      "Delivery of outbox rows by summa-host to Redis. Without --latency or --idle: the rate of a "
      "backlog.",
      {{"rows", "500000", "rows of the backlog"},
       {"accounts", "10000", "accounts they belong to"},
       {"repeat", "3", "how often each thing is measured"},
       {"batch", "1000", "rows marked together by the roofline"},
       {"latency", Options::kFlag, "commit to consumer under steady traffic instead"},
       {"events", "1000", "with --latency: outbox rows per second"},
       {"connections", "4", "with --latency: connections that write"},
       {"idle", Options::kFlag, "what a host without work uses instead"},
       {"seconds", "0", "how long --latency (30) or --idle (60) measures; 0: that"}});
  if (options.Given("latency")) {
    MeasureLatency(options);
  } else if (options.Given("idle")) {
    MeasureIdle(options);
  } else {
    MeasureThroughput(options);
  }
  return 0;
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) { return summa::bench::Guarded(summa::bench::Run, count, words); }
