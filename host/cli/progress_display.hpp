// How far a verb is, as a line for people: a bar on a terminal, plain words elsewhere; with the
// rate of lately and the time that is left. The only place that draws it. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/clock.hpp"
#include "summa/work.hpp"

namespace summa::host {

class ProgressDisplay {
 public:
  explicit ProgressDisplay(bool terminal) : terminal_(terminal) {}

  // The line to print now, without a line break; nullopt: the one before was just printed, or,
  // unless it is drawn over, says the same. total 0: not known.
  std::optional<std::string> Line(std::string_view label, std::int64_t done, std::int64_t total,
                                  BootTime now);

 private:
  void Measure(std::string_view label, std::int64_t done, BootTime now);

  const bool terminal_;
  std::string label_;
  Speed speed_;
  std::int64_t measured_ = 0;            // done, when the speed was last measured
  std::optional<BootTime> measured_at_;  // and when
  std::optional<BootTime> printed_at_;
  std::string printed_;  // label and done
};

// "49 s", "12 min", "3 h 20 min", "2 d 4 h".
std::string TimeLeft(std::int64_t seconds);

}  // namespace summa::host
