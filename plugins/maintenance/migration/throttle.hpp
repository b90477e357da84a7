// Whether the migration should pause for the sake of others.
#pragma once

#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <cstdint>
#include <string>

namespace summa::maintenance {

struct ThrottleLimits {
  std::chrono::microseconds commit = std::chrono::milliseconds(250);
  std::chrono::microseconds replay_lag = std::chrono::seconds(10);
  std::int64_t replay_bytes = 256LL * 1024 * 1024;
};

// Why to pause: a standby is behind, or cannot be observed; or a small commit (of the row of the
// migration) took longer than the limit. Empty: go on.
std::string ThrottleReason(Session& session, const WorkCaller& caller, std::int64_t operation,
                           const ThrottleLimits& limits = {});

// In a session of its own.
std::string ThrottleReason(const summa_sql_v1* sql, const WorkCaller& caller,
                           std::int64_t operation);

}  // namespace summa::maintenance
