// The run that is under way in summa_host.reconciliation_run: each part of it is kept as soon as it
// is done, so that a run that was cut off goes on with the next part; and its result as a row that
// Summa reads. Its transactions commit only under the lease.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <summa/operation.hpp>
#include <summa/sql.hpp>

#include "report.hpp"

namespace summa::reconciliation {

struct FinishedRun {
  std::string result_id, run_date;
  std::int64_t duration_ms = 0;
};

class RunStore {
 public:
  // A run that is older than this is not gone on with: its first parts tell of a ledger of long
  // ago.
  static constexpr std::chrono::hours kOldest{24};

  // The session is outside a transaction.
  explicit RunStore(Session& session);
  // What is done so far becomes the place of the operation, in the same transactions.
  explicit RunStore(OperationStep& step);

  // The run to go on with, or a new one.
  RunState Begin();
  // What is done and found so far. `entries_until`: microseconds since 2000; kept when first given.
  void Save(const RunState& run, std::optional<std::int64_t> entries_until = std::nullopt);
  // Writes Summa's row and marks the run as finished, in one transaction; the operation as well.
  FinishedRun Finish(const RunState& run);
  // Nobody goes on with the run that is under way. Commits nothing.
  static void Abandon(Session& session);

 private:
  void SaveFindings(Session& session, const RunState& run);

  const std::function<Session&()> begin_;
  const std::function<void(const RunState&, bool finished)> commit_;
  std::map<std::string, std::size_t> saved_;  // findings, by part
};

}  // namespace summa::reconciliation
