#include "host/observe/http_metrics.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "host/observe/host_metrics.hpp"

namespace summa::host {
namespace {

constexpr std::string_view kOther = "other";

// Whatever a client sends makes no series of its own.
std::string_view KnownMethod(std::string_view method) {
  static constexpr std::array<std::string_view, 7> kKnown = {"GET",   "HEAD",   "POST",   "PUT",
                                                             "PATCH", "DELETE", "OPTIONS"};
  const auto* found = std::find(kKnown.begin(), kKnown.end(), method);
  return found == kKnown.end() ? kOther : *found;
}

}  // namespace

HttpMetrics::HttpMetrics()
    : connections_(HostMetric("summa_http_connections")),
      made_room_(HostMetric("summa_http_connections_closed_total")) {
  Open(0);
}

void HttpMetrics::Answered(std::string_view route, std::string_view method, int status,
                           std::chrono::steady_clock::duration duration) {
  const std::string_view path = route.empty() ? kOther : route;
  const std::string code = std::to_string(status);
  HostMetric("summa_http_requests_total", {path, KnownMethod(method), code}).Add(1);
  HostMetric("summa_http_request_duration_seconds", {path})
      .Observe(std::chrono::duration<double>(duration).count());
}

void HttpMetrics::Open(std::size_t connections) {
  connections_.Set(static_cast<double>(connections));
}

void HttpMetrics::MadeRoom() { made_room_.Add(1); }

}  // namespace summa::host
