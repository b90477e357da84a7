// Which connections of a bus are down and which readers do not get on, since when and why: one log
// line per change, and what /readyz shows. Link Summa::bus_plugin. Thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <summa/health.hpp>
#include <summa/mutex.hpp>
#include <summa/time.hpp>
#include <utility>
#include <vector>

namespace summa {

// How people call the server behind a bus.
struct BusServer {
  std::string bus;     // the id of the plugin; the label `bus` of every metric
  std::string name;    // "Redis"
  std::string code;    // of the plugin, for a server that is not reachable: "SH-0601"
  std::string advice;  // "start Redis or correct plugins.bus-redis.url"
};

class Reachability {
 public:
  explicit Reachability(BusServer server) : server_(std::move(server)) {}

  // One attempt to use the connection of this purpose ("publish") to this server. True when that is
  // news. `address`: as people may see it.
  bool Up(std::string_view purpose, const std::string& address);
  bool Down(std::string_view purpose, const std::string& address, const std::string& reason,
            BootTime now);
  // One attempt to read a stream, or to settle what was read; an empty error: it works.
  void Reader(const std::string& what, const std::string& error, BootTime now);
  // No server fails at this purpose.
  bool AllUp(std::string_view purpose) const;

  // What nobody has tried for a while (this host stands by, a reader is gone) is not known to be
  // down.
  std::vector<Finding> Failing(BootTime now) const;

 private:
  struct Fault {
    std::string reason;
    BootTime since, tried;
  };
  using Faults = std::map<std::pair<std::string, std::string>, Fault>;
  bool Clear(Faults& faults, const std::string& first, const std::string& second)
      SUMMA_REQUIRES(mutex_);
  bool Set(Faults& faults, const std::string& first, const std::string& second,
           const std::string& reason, BootTime now) SUMMA_REQUIRES(mutex_);

  const BusServer server_;
  mutable Mutex mutex_;
  Faults down_ SUMMA_GUARDED_BY(mutex_);     // by purpose and address
  Faults readers_ SUMMA_GUARDED_BY(mutex_);  // by what they do
};

}  // namespace summa
