// Which connections of the bus are down, since when and why: one log line per change, and what
// /readyz shows. Thread-safe; times are boot time.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <summa/health.hpp>
#include <vector>

namespace summa::bus_redis {

class Reachability {
 public:
  using Microseconds = std::chrono::microseconds;

  // One attempt to use the connection of this purpose ("publish"). True when that is news.
  bool Up(std::string_view purpose);
  bool Down(std::string_view purpose, const std::string& reason, Microseconds now);

  // `address`: as people may see it. A connection that nobody has tried to use for a while (this
  // host stands by, a reader is gone) is not known to be down.
  std::vector<Finding> Failing(const std::string& address, Microseconds now) const;

 private:
  struct Fault {
    std::string reason;
    Microseconds since{0}, tried{0};
  };
  mutable std::mutex mutex_;
  std::map<std::string, Fault, std::less<>> down_;
};

}  // namespace summa::bus_redis
