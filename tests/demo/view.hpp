// The live picture: a small table that is redrawn on a terminal, one line per sample elsewhere.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/demo/consumer.hpp"
#include "tests/demo/host_watch.hpp"
#include "tests/demo/latency.hpp"

namespace summa::demo {

// The state of everything at one time.
struct Sample {
  double seconds = 0;  // since the traffic began
  std::string phase;   // "traffic", "waiting for the rest"
  long long operations = 0;
  long long committed = 0;  // events
  long long pending = 0;
  ConsumerCounts consumer;
  Percentiles latency;  // of what arrived since the sample before
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
  void Begin(const Sample& sample);
  void Show(const Sample& sample);
  // What is drawn stays; text goes below.
  void End();

 private:
  std::vector<std::string> Table(const Sample& sample) const;
  std::string Line(const Sample& sample) const;
  // Per second, between the sample before and this one.
  std::string Rate(long long now, long long before, const Sample& sample) const;

  const Setting setting_;
  const bool terminal_;
  Sample before_;
  std::size_t drawn_lines_ = 0;
};

}  // namespace summa::demo
