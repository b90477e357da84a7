// Due times of periodic workers. Everything is relative to "now" of the database server, so no
// clock appears here. Pure functions.
#pragma once

#include <optional>
#include <vector>

#include "host/clock.hpp"

namespace summa::host {

// The time to the next due time: interval * (1 +- jitter). random: uniform in [0, 1).
Microseconds JitteredInterval(Microseconds interval, double jitter, double random);

// How much later than a time of the day a run begins: a part of the shortest distance between two
// of the times, but of an hour at most, because whoever names a time means about then.
Microseconds DelayAfterTime(const std::vector<Microseconds>& times, double jitter, double random);

struct DueRule {
  Microseconds interval{0};
  bool run_missed_once = true;  // false: a missed due time is skipped
  Microseconds grace{0};        // a run later than this is "missed": jitter and take-over
};

// How long to wait before the worker runs; zero: run now.
// until_due: what the database says; nullopt: never ran, so it is due.
// `missed: skip` needs no memory of its own: the due times after a missed one follow it in whole
// intervals, so every host computes the same one, however often it restarts.
Microseconds PauseUntilRun(std::optional<Microseconds> until_due, const DueRule& rule);

}  // namespace summa::host
