// What every room knows of a worker: its name, how it is to be run, what the fleet knows of it, and
// what came of running it. Each room adds what only it needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/clock.hpp"

namespace summa::host {

struct WorkerName {
  std::string id, plugin;
  bool continuous = false;

  const char* kind() const { return continuous ? "continuous" : "periodic"; }
};

// How it is to be run: what the configuration says, with the defaults of its manifest.
struct WorkerSpec : WorkerName {
  bool leased = true;
  Microseconds interval{0};  // periodic
  // Periodic, instead of the interval: times of the day in UTC, ascending.
  std::vector<Microseconds> times;
  double jitter = 0.25;  // periodic: next due = interval * (1 +- jitter); after a time: later
  bool run_missed_once = true;  // periodic, `missed: once`; false: skip
  Microseconds idle_poll{0};    // continuous: longest idle pause
  Microseconds lease_ttl{std::chrono::seconds(15)};
  // A run (continuous: a call) that takes longer is stuck; zero: none does.
  Microseconds max_run{0};
  int park_after = 0;          // consecutive failures; 0: never
  int park_after_crashes = 0;  // in the fleet; 0: never
  // Longest pause between two tries of a parked worker; zero: only a person lets it run again.
  Microseconds retry_parked{0};
};

// What is known of it, in the database or in one host. Times are ISO-8601 with ms and Z; empty:
// never.
struct WorkerRow {
  std::string id, kind, plugin;
  std::string state;   // running | waiting | standby | error | parked | stopped
  std::string host;    // the name of the one that wrote the state
  std::string holder;  // of its lease
  std::int64_t fence = 0;
  std::string lease_until, last_run_at, last_success_at, next_due_at;
  bool paused = false;
  std::string paused_by, paused_reason, paused_since;  // as far as known
  std::vector<std::string> parked_on;                  // hosts; of the whole fleet, when known
  std::string last_error;                              // "SH-0503 ..." or empty
};

// What came of the calls of one run, for whoever asked for it.
struct RunSummary {
  std::string outcome;
  std::int64_t runs = 0, items = 0;
  Microseconds duration{0};
  std::string error;
  int exit_code = 0;
};

}  // namespace summa::host
