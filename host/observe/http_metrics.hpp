// What is measured of HTTP in this process. Names: host_metrics.cpp. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "host/observe/metrics.hpp"

namespace summa::host {

class HttpMetrics {
 public:
  HttpMetrics();

  // A request that is answered. route: the path as declared, empty: nobody serves it. method: as
  // sent. duration: from its head to its answer, before that is sent.
  static void Answered(std::string_view route, std::string_view method, int status,
                       std::chrono::steady_clock::duration duration);

  void Open(std::size_t connections);
  void MadeRoom();  // a connection was closed because there were too many

 private:
  MetricHandle& connections_;
  MetricHandle& made_room_;
};

}  // namespace summa::host
