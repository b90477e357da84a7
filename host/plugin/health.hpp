// What a plugin finds wrong (summa.health/1): foreign code and foreign texts.
#pragma once

#include <summa/abi/health.h>

#include <functional>
#include <vector>

#include "host/observe/finding.hpp"
#include "host/plugin/instance.hpp"

namespace summa::host {

inline constexpr std::size_t kMaxFindingText = 2000;  // as the header of the extension says

// Texts are cut and cleaned, an unknown severity is an error. [any]
Finding FromPlugin(const summa_finding& finding);

struct Examination {
  std::vector<Finding> findings;  // what it reported, also before it failed
  std::optional<Error> error;     // why it could not look to the end
};

// [main] Lets a started plugin look around. `sql` and what should_stop() uses must live until the
// process ends when the plugin is lost after it.
Examination Examine(PluginInstance& plugin, const summa_sql_v1* sql,
                    const std::function<bool()>& should_stop);

}  // namespace summa::host
