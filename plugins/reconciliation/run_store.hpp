// The run that is under way in summa_host.reconciliation_run: each part of it is kept as soon as it
// is done, so that a run that was cut off goes on with the next part; and its result as a row that
// Summa reads. Writes in transactions of the session it is given, which commit only under the
// lease.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
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
  explicit RunStore(Session& session) : session_(session) {}

  // The run to go on with, or a new one.
  RunState Begin();
  // What is done and found so far. `entries_until`: microseconds since 2000; kept when first given.
  void Save(const RunState& run, std::optional<std::int64_t> entries_until = std::nullopt);
  // Writes Summa's row and marks the run as finished, in one transaction.
  FinishedRun Finish(const RunState& run);

 private:
  void SaveFindings(const RunState& run);

  Session& session_;
  std::map<std::string, std::size_t> saved_;  // findings, by part
};

}  // namespace summa::reconciliation
