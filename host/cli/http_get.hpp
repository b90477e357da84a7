// One GET to the endpoint of a host.
#pragma once

#include <chrono>
#include <string>

namespace summa::host {

struct HttpAnswer {
  long status = 0;
  std::string body;
};

// Follows no redirect, uses no proxy, reads at most 16 MiB. Throws SH-0905 when nothing answers.
HttpAnswer HttpGet(const std::string& url, std::chrono::milliseconds timeout);

}  // namespace summa::host
