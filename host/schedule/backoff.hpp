// Pauses between retries: exponential with full jitter, so that many hosts that failed together do
// not come back together. One thread at a time.
#pragma once

#include "host/clock.hpp"

namespace summa::host {

// Uniform in [0, 1); seeded from the system once per thread. Thread-safe.
double RandomFraction();

class Backoff {
 public:
  // first: ceiling of the first pause; cap: ceiling of all.
  Backoff(Microseconds first, Microseconds cap) : first_(first), cap_(cap) {}

  // The next pause, between 1 ms and the ceiling, which doubles with every call up to the cap.
  // random: uniform in [0, 1).
  Microseconds Next(double random);
  void Reset() { failures_ = 0; }
  int failures() const { return failures_; }

 private:
  Microseconds first_, cap_;
  int failures_ = 0;
};

}  // namespace summa::host
