// How much of the machine a process uses.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>

#include "host/clock.hpp"

namespace summa::host {

struct ProcessUsage {
  std::int64_t memory_bytes = 0;  // in RAM and swapped out
  Microseconds cpu{0};            // of all threads, since the start
};

// Read from /proc. nullopt: there is no such process.
std::optional<ProcessUsage> ReadUsage(pid_t process);

// How much CPU time a process used lately. One thread.
class CpuWindow {
 public:
  static constexpr Microseconds kLength = std::chrono::minutes(1);

  explicit CpuWindow(BootTime begin) { samples_.push_back({begin, Microseconds(0)}); }
  // cpu: since the start, as read `now`. What was used within the last minute, or a little more:
  // since the last look that is older.
  Microseconds Add(BootTime now, Microseconds cpu);

 private:
  struct Sample {
    BootTime at;
    Microseconds cpu;
  };
  std::deque<Sample> samples_;  // the first is as old as the window, or older
};

}  // namespace summa::host
