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
  std::vector<std::string> wake_streams;  // of the bus; none: the store is looked at all the time
  // How long the store is left alone when no message comes.
  std::chrono::microseconds quiet{std::chrono::seconds(1)};
};

}  // namespace summa::projections
