// The workers that belong to the host itself and to no plugin.
#pragma once

#include "host/plugin/manifest.hpp"

namespace summa::host {

// What stands for the plugin of such a worker, wherever one is named.
inline constexpr const char* kHostPlugin = "host";

// Deletes what consumers remember of messages handled longer ago than host.inbox_retention. It runs
// where a bus is enabled.
const WorkerDeclaration& InboxCleanup();

}  // namespace summa::host
