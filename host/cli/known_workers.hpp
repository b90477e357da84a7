// The workers that a verb may name: what any host wrote of its own, and what this configuration
// has.
#pragma once

#include <string>
#include <vector>

#include "host/application/settings.hpp"
#include "host/database/worker_store.hpp"

namespace summa::host {

// Sorted by id. Throws SqlFailure.
std::vector<WorkerRow> KnownWorkers(const LoadedConfiguration& loaded, const Discovery& plugins);

}  // namespace summa::host
