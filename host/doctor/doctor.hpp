// `summa-host doctor`: looks at the database, the fleet and what the plugins depend on, and says
// what would lose, stop or slow down the work. Changes nothing: every transaction is read only.
#pragma once

#include <functional>
#include <vector>

#include "host/application/settings.hpp"
#include "host/observe/finding.hpp"

namespace summa::host {

struct DoctorOptions {
  // Younger transactions are the daily business of a ledger.
  Microseconds held_longer_than{std::chrono::minutes(1)};
};

struct Diagnosis {
  std::vector<Finding> findings;  // what is well, too
  bool database_down = false;     // then without what only it could tell
};

// [main] Never throws for what it finds: what cannot be looked at is a finding.
Diagnosis Diagnose(const LoadedConfiguration& loaded, const Discovery& plugins,
                   const DoctorOptions& options, const std::function<bool()>& should_stop);

}  // namespace summa::host
