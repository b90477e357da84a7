// One call of a worker's function across the C boundary. Nothing a worker does here gets further
// than its outcome: exceptions of foreign code are caught.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "host/clock.hpp"
#include "host/error.hpp"
#include "summa/abi/worker.h"

namespace summa::host {

struct TickRequest {
  const summa_worker* worker = nullptr;
  std::string_view plugin;  // whose worker it is
  std::uint32_t flags = 0;
  std::int64_t fence = 0;
  const summa_sql_v1* sql = nullptr;
  std::function<bool()> should_stop;
  std::function<bool(Microseconds)> wait;  // true: told to stop
};

struct TickOutcome {
  std::int32_t status = SUMMA_OK;
  Error error;  // when status is not SUMMA_OK; always with a code
  bool backlog = false;
  std::int64_t items = 0;
  std::optional<Microseconds> wait_hint;
};

TickOutcome CallTick(const TickRequest& request);

}  // namespace summa::host
