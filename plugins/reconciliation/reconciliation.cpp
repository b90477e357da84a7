#include "reconciliation.hpp"

#include <summa/crash_point.hpp>

#include "books.hpp"
#include "entries_until.hpp"
#include "expected_rows.hpp"
#include "late_events.hpp"
#include "ledger_verification.hpp"
#include "reconciliation_sql.hpp"
#include "statement.hpp"

namespace summa::reconciliation {
namespace {

// Whether the same step may succeed when it is repeated, or nothing can be concluded while a table
// shows only part of its rows.
bool IsRetryable(const Error& error) {
  if (error.code() == "SH-0430" || error.code() == "SH-0431") return true;
  switch (error.status()) {
    case SUMMA_E_CANCELLED:
    case SUMMA_E_FENCED:
    case SUMMA_E_TRY_LATER:
    case SUMMA_E_UNAVAILABLE:
      return true;
    default:
      return false;
  }
}

void Attempt(Work& work, std::string& error_text, const std::function<void()>& part) {
  try {
    part();
  } catch (const Error& error) {
    if (IsRetryable(error)) throw;
    error_text = error.code() + " " + error.what();
    work.host().Log(SUMMA_LOG_ERROR, "SH-0703", "part of the reconciliation could not be done",
                    {{"error", error_text}, {"hint", error.hint()}});
  }
}

// Everything, as long as that takes minutes; in a larger ledger what is new since the last good
// run, and the rolling verification covers the rest.
VerificationScope ScopeOfRun(const summa_sql_v1* sql, const Settings& settings) {
  Session session(sql);
  const ledger::EventTable table = ledger::FindEvents(session);
  const Result last = session.Exec(ForTable(sql::chains_since, table));
  const auto since = last[0].Get<std::optional<DatabaseTime>>("since");
  VerificationScope scope;
  if (last[0].Get<std::int64_t>("highest") > settings.daily_full_events && since) {
    scope.since = ToMicroseconds(*since);
  }
  return scope;
}

void LogLate(const Work& work, std::int64_t position) {
  work.host().Log(SUMMA_LOG_WARN, "SH-0704", "an event appeared below the last block",
                  {{"position", std::to_string(position)}});
}

// What no block covers is sealed by itself from now on.
void SealLate(const summa_sql_v1* sql, const Work& work, std::span<const std::int64_t> positions) {
  if (positions.empty()) return;
  for (const std::int64_t position : positions) LogLate(work, position);
  Session session(sql);
  SealLateEvents(sql, ledger::FindEvents(session), positions);
}

}  // namespace

void CheckBooks(const summa_sql_v1* sql, Work& work, RunState& run, const OnPart& on_part) {
  Attempt(work, run.books_error, [&] {
    Session session(sql);
    // Known before anything is looked at: what commits meanwhile belongs to the next run.
    const std::optional<DatabaseTime> settled = SettledUntil(session, work);
    session.Begin(SUMMA_SQL_READ_ONLY | SUMMA_SQL_REPEATABLE_READ);
    session.Exec(kLongStatement);
    const std::optional<DatabaseTime> until = EntriesUntil(session, settled);
    std::optional<std::int64_t> entries_until;
    if (until) entries_until = ToMicroseconds(*until);
    do {
      BooksPass pass = CheckBooks(session, work, run.accounts_through);
      run.books.Add(pass.report);
      run.accounts_through = pass.through;
      if (run.accounts_through) on_part(entries_until);
    } while (run.accounts_through);
    const std::optional<Error> less = FarLess(
        session,
        {{"entry_record", run.books.entries}, {"account_balance", run.books.accounts_checked}});
    if (less) throw Error(*less);
    session.Rollback();  // it holds a snapshot
    run.books_done = true;
    on_part(entries_until);
  });
  run.books_done = true;
}

void CheckChains(const summa_sql_v1* sql, Work& work, const Settings& settings, RunState& run,
                 const OnPart& on_part) {
  std::vector<std::int64_t> late;
  Attempt(work, run.chains_error, [&] {
    const VerificationResult result = VerifyLedger(sql, work, settings, ScopeOfRun(sql, settings));
    run.chains = result.Report();
    run.chains_error = result.incomplete;
    late = result.late;
  });
  run.chains_done = true;
  on_part(std::nullopt);
  SealLate(sql, work, late);
}

namespace {

// A whole run, or what is left of it: one step that keeps each part as soon as it is done, because
// the books are read under one snapshot and what was found is told at the end.
Reconciled RunStep(OperationStep& step, const Work& caller, const Settings& settings) {
  Work work(caller, step);
  RunStore store(step);
  Reconciled result{store.Begin(), {}};
  const OnPart save = [&](std::optional<std::int64_t> entries_until) {
    store.Save(result.run, entries_until);
  };
  if (!result.run.books_done) CheckBooks(step.sql(), work, result.run, save);
  if (!result.run.chains_done) CheckChains(step.sql(), work, settings, result.run, save);
  CrashPoint("reconciliation.checked");
  result.finished = store.Finish(result.run);
  return result;
}

[[noreturn]] void NotDone(const OperationView& operation) {
  const std::string name = "operation " + std::to_string(operation.id);
  if (operation.state == OperationState::kPaused) {
    throw Error(SUMMA_E_TRY_LATER, "SH-0389", "the reconciliation is paused: " + name,
                "`summa-host operations resume " + std::to_string(operation.id) +
                    "` continues it where it stopped");
  }
  if (operation.state == OperationState::kAborted) {
    throw Error(SUMMA_E_TRY_LATER, "SH-0384", "the reconciliation was aborted: " + name,
                "the next run starts from the beginning");
  }
  ThrowStopped();
}

}  // namespace

Reconciled Reconcile(const summa_sql_v1* sql, Work& work, const Settings& settings, bool set_rate) {
  Reconciled result;
  const OperationBinding reconciliation{
      "reconciliation",
      [&](OperationStep& step) -> std::optional<OperationProgress> {
        result = RunStep(step, work, settings);
        return std::nullopt;  // everything is saved
      },
      [](OperationStep& step) { RunStore::Abandon(step.Transaction()); }};
  const std::int64_t id = StartOperation(
      work.host(), sql,
      {.kind = "reconciliation", .rate = work.rate(), .single = true, .set_rate = set_rate});
  const OperationView last = RunOperation(work.host(), sql, work.caller(), reconciliation, id).last;
  if (last.state != OperationState::kDone) NotDone(last);
  return result;
}

}  // namespace summa::reconciliation
