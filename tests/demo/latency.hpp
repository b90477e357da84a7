// How long events take from their commit to the consumer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/demo/consumer.hpp"
#include "tests/services/db.hpp"

namespace summa::demo {

struct Percentiles {
  std::size_t count = 0;
  double p50_ms = 0, p99_ms = 0, max_ms = 0;
};
// "p50 1.9 ms  p99 6.3 ms  max 12.0 ms", or "no latency measured".
std::string ToText(const Percentiles& percentiles);

// Compares the moment the consumer had an event with the moment PostgreSQL committed it, which
// PostgreSQL keeps itself (track_commit_timestamp): the row's created_at would be the start of its
// transaction. Both clocks are the one of this machine. Main thread only. Errors: DbError.
class LatencyMeter {
 public:
  explicit LatencyMeter(const std::string& url) : db_(url) {}

  // Looks up the commits of these and returns what they took.
  Percentiles Measure(const std::vector<Arrival>& arrivals);
  // Everything measured so far.
  Percentiles All() const;

 private:
  void MeasurePart(const Arrival* begin, const Arrival* end, std::vector<std::int64_t>& out);

  test::Db db_;
  std::vector<std::int64_t> all_microseconds_;
};

}  // namespace summa::demo
