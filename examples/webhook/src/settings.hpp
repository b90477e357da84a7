// The configuration of the plugin, read once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <summa/config.hpp>
#include <vector>

#include "http_client.hpp"
#include "outcome.hpp"

namespace webhook {

struct Settings {
  std::vector<std::string> topics;
  std::int64_t concurrency = 128, endpoint_concurrency = 8;
  HttpLimits http;
  RetryRules retry{};
  CircuitRules circuit{};
  Microseconds longest_hold{0};
  Microseconds retention{0}, dead_retention{0};
};

// Throws summa::Error WH-0007.
Settings ReadSettings(const summa::Config& config);

}  // namespace webhook
