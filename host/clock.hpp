// Local time, injectable. Truth (leases, due times) comes from the database; this clock only
// measures spans.
#pragma once

#include <chrono>

namespace summa::host {

using Microseconds = std::chrono::microseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Microseconds BootTime() const = 0;  // CLOCK_BOOTTIME: monotonic, counts suspend
  virtual Microseconds UnixTime() const = 0;  // wall clock, for display only
};

// The real clock; lives for ever.
const Clock& SystemClock();

}  // namespace summa::host
