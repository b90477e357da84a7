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

class ProcessEndpoint;

// Of a process that runs one plugin, and those that it needs, for a host (decision 0055).
struct ProcessRole {
  std::string plugin;
  ProcessEndpoint* host = nullptr;  // which listens to it already
};

struct RunOptions {
  bool once = false;
  std::vector<std::string> only;  // ids of workers; empty: all
  std::optional<Microseconds> length;
  Microseconds wait{std::chrono::seconds(60)};  // with `once`: for the database and for leases
  std::optional<ProcessRole> role = {};         // nullopt: it is the host
};

// Returns when told to stop, when the time has passed or the one run is done. Throws Failure when
// the host cannot run at all: the configuration, an address in use, a database that is not
// migrated.
VerbResult RunHost(const LoadedConfiguration& loaded, const Discovery& plugins,
                   const RunOptions& options, TerminationSignal& signal);

}  // namespace summa::host
