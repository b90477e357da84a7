// Whether this host does what it is there for: what `/readyz` says. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/application/status.hpp"
#include "host/observe/finding.hpp"

namespace summa::host {

// A call of a plugin that has not returned.
struct SlowCall {
  std::string plugin, function;
  Microseconds for_time{0};
};
// Those that take longer than any such call should, but for workers, which have their max_run.
std::vector<SlowCall> SlowCalls();

// What is asked, as known from memory.
struct ReadinessView {
  HostReport report;
  std::vector<PluginFinding> plugins;  // what plugins say of themselves
  std::vector<SlowCall> calls;         // calls of plugins that take long
  std::optional<Error> database;       // why it cannot be asked
  std::vector<std::string> sessions;   // why somebody got no session lately, and who holds them
};

// Host state, plugins that do not run, workers that fail, the database, what plugins say. A standby
// without leases is ready: it does what it is there for.
Readiness EvaluateReadiness(const ReadinessView& view);

}  // namespace summa::host
