// Local time, injectable. Truth (leases, due times) comes from the database; this clock only
// measures spans.
#pragma once

#include <chrono>
#include <string>
#include <summa/time.hpp>

namespace summa::host {

using Microseconds = std::chrono::microseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual BootTime BootNow() const = 0;  // for spans
  virtual UnixTime UnixNow() const = 0;  // for display only
};

// For people: ISO-8601 in UTC with milliseconds; empty for 1970 and earlier ("never").
inline std::string TimeText(UnixTime time) {
  return time <= UnixTime() ? std::string() : IsoText(time, IsoDigits::kMilliseconds);
}

// The real clock; lives for ever.
const Clock& SystemClock();

}  // namespace summa::host
