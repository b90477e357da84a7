// What a request may take of the host (`host.http` in the configuration).
#pragma once

#include <chrono>
#include <cstddef>

#include "host/clock.hpp"

namespace summa::host {

struct HttpLimits {
  std::size_t head_bytes = std::size_t{8} << 10;  // the request line and the headers
  std::size_t body_bytes = std::size_t{1} << 20;  // of a request
  Microseconds time{std::chrono::seconds(30)};    // to arrive, to be answered, to be read: each
  int concurrency = 4;                            // requests of one plugin handled at once
};

}  // namespace summa::host
