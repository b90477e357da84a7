// The live picture: a small table that is redrawn on a terminal, one line per look elsewhere.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/demo/consumer.hpp"
#include "tests/demo/host_watch.hpp"
#include "tests/demo/latency.hpp"

namespace summa::demo {

// One look at everything.
struct Look {
  double seconds = 0;  // since the traffic began
  std::string phase;   // "traffic", "waiting for the rest"
  long long operations = 0;
  long long committed = 0;  // events
  long long pending = 0;
  ConsumerCounts consumer;
  Percentiles latency;  // of what arrived since the look before
  HostView host;
};

// What stays the same.
struct Setting {
  std::string versions;
  std::string length;  // " of 30.0 s", or ", until Ctrl-C"
  double rate = 0;
  int accounts = 0;
  int port = 0;
};

// Writes to stdout. Main thread only.
class View {
 public:
  explicit View(Setting setting);

  // Rates begin here; shows nothing.
  void Begin(const Look& look);
  void Show(const Look& look);
  // What is drawn stays; text goes below.
  void End();

 private:
  std::vector<std::string> Table(const Look& look) const;
  std::string Line(const Look& look) const;
  // Per second, between the look before and this one.
  std::string Rate(long long now, long long before, const Look& look) const;

  const Setting setting_;
  const bool terminal_;
  Look before_;
  std::size_t drawn_lines_ = 0;
};

}  // namespace summa::demo
