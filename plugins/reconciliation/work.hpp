// What long work asks of whoever called for it, a worker or a verb: whether to stop, when to rest,
// and where to say how far it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>
#include <summa/command.hpp>
#include <summa/host.hpp>
#include <summa/worker.hpp>

namespace summa::reconciliation {

class Work {
 public:
  Work(Host host, const Tick& tick, std::int64_t max_rate)
      : host_(host),
        max_rate_(max_rate),
        should_stop_([&tick] { return tick.ShouldStop(); }),
        wait_([&tick](std::chrono::microseconds time) { return tick.Wait(time); }),
        progress_([](std::string_view, std::int64_t, std::int64_t) {}) {}
  Work(Host host, const CommandCall& call, std::int64_t max_rate)
      : host_(host),
        max_rate_(max_rate),
        should_stop_([&call] { return call.ShouldStop(); }),
        wait_([&call](std::chrono::microseconds time) { return call.Wait(time); }),
        progress_([&call](std::string_view label, std::int64_t done, std::int64_t total) {
          call.Progress(label, done, total);
        }) {}

  // Sleeps; true: told to stop.
  bool Wait(std::chrono::microseconds time) const { return wait_(time); }
  bool ShouldStop() const { return should_stop_(); }
  // Throws SH-0705 (cancelled) when the work is to end.
  void StopIfAsked() const;
  // Call it after `rows` more rows were read: rests so that not more than `max_rate` are read in a
  // second. Throws as StopIfAsked.
  void Read(std::int64_t rows);
  void Progress(std::string_view label, std::int64_t done, std::int64_t total) const {
    progress_(label, done, total);
  }
  const Host& host() const { return host_; }
  std::int64_t max_rate() const { return max_rate_; }  // rows a second; 0: no limit

 private:
  Host host_;
  std::int64_t max_rate_;
  std::function<bool()> should_stop_;
  std::function<bool(std::chrono::microseconds)> wait_;
  std::function<void(std::string_view, std::int64_t, std::int64_t)> progress_;
  BootTime next_read_;
};

}  // namespace summa::reconciliation
