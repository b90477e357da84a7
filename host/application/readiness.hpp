// Whether this host does what it is there for: what `/readyz` says. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/observe/finding.hpp"
#include "host/observe/status.hpp"

namespace summa::host {

// What is asked, as known from memory.
struct ReadinessView {
  HostReport report;
  std::vector<Finding> plugins;   // what plugins say of themselves
  std::optional<Error> database;  // why it cannot be asked
};

// Host state, plugins that do not run, workers that fail, the database, what plugins say. A standby
// without leases is ready: it does what it is there for.
Readiness Judge(const ReadinessView& view);

}  // namespace summa::host
