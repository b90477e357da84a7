// What long work asks of whoever called for it: a worker, a verb or a step of an operation.
#pragma once

#include <cstdint>
#include <summa/command.hpp>
#include <summa/host.hpp>
#include <summa/operation.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>
#include <summa/worker.hpp>

namespace summa::reconciliation {

class Work : public summa::Work {
 public:
  // max_rate: rows a second; 0: no limit.
  Work(Host host, const Tick& tick, std::int64_t max_rate)
      : summa::Work(CallerOf(host, tick), [max_rate] { return max_rate; }), host_(host) {}
  Work(Host host, const CommandCall& call, std::int64_t max_rate)
      : summa::Work(CallerOf(host, call), [max_rate] { return max_rate; }), host_(host) {}
  // A step shows its progress to whoever runs the operation.
  Work(const Work& caller, const OperationStep& step)
      : summa::Work(WithProgress(caller, step), [&step] { return step.rate(); }),
        host_(caller.host_) {}

  // Throws SH-0705 (cancelled) when the work is to end.
  void ThrowIfStopped() const;
  // Call it after `rows` more rows were read: rests so that the rate is kept. Throws as
  // ThrowIfStopped.
  void Read(std::int64_t rows);
  // Call it before a transaction that reads events for seconds, outside of one: an exchange of the
  // tables goes first. Throws as ThrowIfStopped.
  void GiveWay(Session& session) const;
  const Host& host() const { return host_; }

 private:
  static WorkCaller WithProgress(const Work& caller, const OperationStep& step) {
    WorkCaller both = CallerOf(caller.host_, step);
    both.progress = caller.caller().progress;
    return both;
  }
  Host host_;
};

// Told to stop before everything was looked at.
[[noreturn]] void ThrowStopped();

}  // namespace summa::reconciliation
