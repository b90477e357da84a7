// summa.clock/1 over a Clock that outlives it. Thread-safe.
#pragma once

#include "host/clock.hpp"
#include "summa/abi/clock.h"

namespace summa::host {

class ClockService {
 public:
  explicit ClockService(const Clock& clock);
  ClockService(const ClockService&) = delete;
  ClockService& operator=(const ClockService&) = delete;
  const summa_clock_v1* table() const { return &table_; }

 private:
  const Clock& clock_;
  summa_clock_v1 table_{};
};

}  // namespace summa::host
