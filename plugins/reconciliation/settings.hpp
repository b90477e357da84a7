// The plugin's configuration; see plugin.yaml.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace summa::reconciliation {

struct Settings {
  std::int64_t max_rate = 0;  // rows a second; 0: no limit
  int connections = 2;
  std::string hmac_secret;
  std::int64_t daily_full_events = 20'000'000;
  std::int64_t block_size = 10'000;
  std::int64_t snapshot_after_events = 10'000;
  // Writers' transactions last milliseconds; one that stays longer is named, and what waits for it
  // is tried again.
  std::chrono::microseconds timeout = std::chrono::seconds(30);
  std::chrono::microseconds full_cycle = std::chrono::hours(24 * 7);
};

}  // namespace summa::reconciliation
