// A whole reconciliation: the books (steps 0 to 2) and the chains of hashes (step 3).
#pragma once

#include <functional>
#include <summa/sql.hpp>

#include "report.hpp"
#include "run_store.hpp"
#include "settings.hpp"
#include "statement.hpp"
#include "work.hpp"

namespace summa::reconciliation {

// Checks what `run` does not say is done, and tells `on_part` after each part of it.
// `entries_until`: see reconciliation_run; given with the first part. What cannot be checked (a
// right that is missing, a full disk) is noted in the run; what is worth another try is thrown.
using OnPart = std::function<void(std::optional<std::int64_t> entries_until)>;
void CheckBooks(const summa_sql_v1* sql, Work& work, RunState& run, const OnPart& on_part);
void CheckChains(const summa_sql_v1* sql, Work& work, const Settings& settings, RunState& run,
                 const OnPart& on_part);

struct Reconciled {
  RunState run;
  FinishedRun finished;
};

// Goes on with the run that is under way, or begins one, and writes its result row: an operation of
// kind `reconciliation` in the journal. `sql`: of the holder of the lease of daily-reconciliation.
// The rate of `work` is that of a new operation; with `set_rate` also of one that is gone on with.
// Throws SH-0389 while the operation is paused, SH-0384 when it was aborted, SH-0705 when `work`
// is told to stop.
Reconciled Reconcile(const summa_sql_v1* sql, Work& work, const Settings& settings,
                     bool set_rate = false);

}  // namespace summa::reconciliation
