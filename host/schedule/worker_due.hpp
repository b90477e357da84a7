// When a periodic worker runs: what the configuration says against what the database remembers. One
// thread at a time.
#pragma once

#include <string>

#include "host/schedule/runner.hpp"
#include "host/schedule/worker_board.hpp"

namespace summa::host {

// How long after now, or after the next time of the day, the worker is due again. random: uniform
// in [0, 1).
Microseconds DelayUntilDue(const WorkerPlan& plan, double random);
// What a due time is made from; kept beside it, so that a changed configuration is noticed.
std::string ScheduleText(const WorkerPlan& plan);

class WorkerDue {
 public:
  WorkerDue(const WorkerPlan& plan, const RunnerServices& services, WorkerBoard& board)
      : plan_(plan), services_(services), board_(board) {}

  // How long to wait before the worker runs; zero: run now. Skips what was missed when the plan
  // says so, and plans anew what an older configuration planned. Throws SqlFailure.
  Microseconds UntilRun();

 private:
  bool Stale(const DueTime& due) const;
  std::optional<Microseconds> Move(Microseconds delay, const DueTime& known);
  Microseconds Grace() const;

  const WorkerPlan& plan_;
  const RunnerServices& services_;
  WorkerBoard& board_;
};

}  // namespace summa::host
