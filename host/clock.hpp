// Local time, injectable. Truth (leases, due times) comes from the database; this clock only
// measures spans.
#pragma once

#include <chrono>
#include <summa/time.hpp>

namespace summa::host {

using Microseconds = std::chrono::microseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  summa::BootTime BootNow() const { return summa::BootTime(BootTime()); }  // for spans
  summa::UnixTime UnixNow() const { return summa::UnixTime(UnixTime()); }  // for display only

  // The same without a type, until nobody uses it any more.
  virtual Microseconds BootTime() const = 0;
  virtual Microseconds UnixTime() const = 0;
};

// The real clock; lives for ever.
const Clock& SystemClock();

}  // namespace summa::host
