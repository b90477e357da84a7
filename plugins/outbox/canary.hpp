// A message of our own through the sink and back, at an interval: proves that what the bus confirms
// can be read, and how long that takes. Off unless configured.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <summa/bus.hpp>
#include <summa/host.hpp>

namespace summa::outbox {

class Canary {
 public:
  static constexpr const char* kStream = "summa-canary";

  Canary(Host host, BusClient bus, std::string sink, std::chrono::microseconds interval);
  // Does what is due; the time until it is due again. A bus that is away is told of by the
  // delivery, a message that cannot be read back by a warning.
  std::chrono::microseconds RunIfDue();

 private:
  void Send();
  bool ReadBack(const std::string& id) const;

  Host host_;
  BusClient bus_;
  std::string sink_;
  std::chrono::microseconds interval_;
  BootTime next_;
  std::int64_t number_ = 0;
  Metric seconds_, lost_;
};

}  // namespace summa::outbox
