// The settings of the plugin.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engine/applier.hpp"

namespace summa::projections {

struct Settings {
  std::vector<std::string> read_models;  // ids; none: all
  std::chrono::microseconds keep_old{std::chrono::hours(168)};
  int batch_size = 2000;
  OnError on_error = OnError::kPauseKey;
  std::chrono::microseconds lag_alert{std::chrono::seconds(5)};
};

}  // namespace summa::projections
