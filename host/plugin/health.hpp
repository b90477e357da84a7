// Asking a plugin for its health (summa.health/1): foreign code and foreign texts. Nothing thrown
// comes out of the first two; [any] unless said otherwise.
#pragma once

#include <summa/abi/health.h>

#include <functional>
#include <vector>

#include "host/observe/finding.hpp"
#include "host/plugin/instance.hpp"

namespace summa::host {

// Texts are cut, an unknown severity is an error.
Finding FromPlugin(const summa_finding& finding);

// What the plugin says does not work; empty when it has not started or has nothing to say.
std::vector<Finding> FailingOf(const PluginInstance& plugin);

// [main] Lets a started plugin look around; on_finding gets what it reports as it comes. Throws
// Failure when the plugin could not look to the end.
void Examine(const PluginInstance& plugin, const summa_sql_v1* sql,
             const std::function<bool()>& should_stop,
             const std::function<void(Finding)>& on_finding);

}  // namespace summa::host
