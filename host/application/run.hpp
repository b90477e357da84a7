// The running host: the only place that knows in which order its parts start and stop.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/application/settings.hpp"
#include "host/application/termination_signal.hpp"
#include "host/application/verb_result.hpp"
#include "host/clock.hpp"
#include "host/plugin/discovery.hpp"

namespace summa::host {

struct RunOptions {
  bool once = false;
  std::vector<std::string> only;  // ids of workers; empty: all
  std::optional<Microseconds> length;
  Microseconds wait{std::chrono::seconds(60)};  // with `once`: for the database and for leases
};

// Returns when told to stop, when the time has passed or the one run is done. Throws Failure when
// the host cannot run at all: the configuration, an address in use, a database that is not
// migrated.
VerbResult RunHost(const LoadedConfiguration& loaded, const Discovery& plugins,
                   const RunOptions& options, TerminationSignal& signal);

}  // namespace summa::host
