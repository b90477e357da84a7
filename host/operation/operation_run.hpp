// The order of an operation: claim, step, save, rest, and what becomes of a step that fails. The
// only place that knows it.
//
// Nothing is kept in memory over a failure: whatever went wrong, the operation is claimed again and
// goes on where the journal says. So a COMMIT without an answer needs no guess.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <summa/backoff.hpp>

#include "host/clock.hpp"
#include "host/operation/journal.hpp"
#include "summa/work.hpp"

namespace summa::host {

// Whoever runs operations; see summa_operation_run.
struct OperationCall {
  std::int64_t id = 0;
  const summa_sql_v1* sql = nullptr;
  Microseconds limit{0};
  std::function<bool()> should_stop;
  std::function<bool(Microseconds)> wait;
  std::function<std::int32_t(const summa_operation_step*, summa_error*)> step;
};

class OperationRun {
 public:
  // All are borrowed. One thread.
  OperationRun(std::string plugin, const OperationKind& kind, std::string host, const Clock& clock,
               const OperationCall& call);

  // Works until nothing is ready, the limit is over or told to stop; at least one step is tried.
  // The row of the operation that is named, or else of the one worked on last. Throws summa::Error.
  std::optional<JournalRow> Run();
  std::int64_t rows() const { return rows_; }

 private:
  class Step;

  bool IsOver() const;
  // False: do nothing more on this operation now.
  bool CallStep(JournalRow& row);
  bool Failed(JournalRow& row, const Step& step, const summa_error& error);
  bool PauseForRate(JournalRow& row, std::int64_t rows, BootTime begin);

  const std::string plugin_;
  const OperationKind& kind_;
  const Clock& clock_;
  const OperationCall& call_;
  Journal journal_;
  const BootTime begin_;
  Speed speed_;
  BatchSize size_;
  BootTime saved_at_;  // of the operation: when a batch was last saved, or it was claimed
  Backoff pause_;      // after the next step that finds nothing to do
  std::int64_t rows_ = 0;
};

}  // namespace summa::host
