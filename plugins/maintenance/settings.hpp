// The plugin's configuration; see plugin.yaml.
#pragma once

#include <chrono>
#include <summa/config.hpp>

#include "manager/settings.hpp"

namespace summa::maintenance {

struct Settings {
  std::chrono::microseconds processed_event_retention = std::chrono::hours(168);
  ManagerSettings manager;
};

// Throws SUMMA_E_CONFIG, SH-0842, when keys do not fit together.
Settings ReadSettings(const Config& config);

}  // namespace summa::maintenance
