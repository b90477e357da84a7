#include "workers.hpp"

#include "block_sealer.hpp"
#include "reconciliation.hpp"
#include "rolling.hpp"
#include "snapshot_maker.hpp"

namespace summa::reconciliation {
namespace {

// Each is a line of the log; the others are in the tables.
constexpr std::size_t kMaxLogged = 20;

constexpr const char* kFindingsHint =
    "`summa-host verify all` names each of them, `summa-host explain SH-0701` says what to do";

void Log(const Host& host, const Discrepancy& finding) {
  host.Log(SUMMA_LOG_ERROR, "SH-0701", "the ledger is inconsistent",
           {{"kind", finding.kind}, {"detail", DetailOf(finding)}});
}

}  // namespace

void ReconciliationWorker::ReportFindings(const char* worker, const Findings& findings) {
  std::size_t logged = 0;
  for (const Discrepancy& finding : findings.kept()) {
    if (++logged > kMaxLogged) break;
    Log(host_, finding);
  }
  metrics_.Found(worker, findings);
  if (findings.empty()) {
    current_findings_.Set({});
    return;
  }
  // An inconsistent ledger is not a reason to make the host unready: a warning.
  current_findings_.Set(
      {{Severity::kWarning, worker, std::to_string(findings.count()) + " findings in the last run",
        "none", kFindingsHint}});
}

TickResult DailyWorker::Run(const Tick& tick) {
  const BootTime started = host_.BootNow();
  Work work(host_, tick, settings_.max_rate);
  Reconciled result;
  try {
    result = Reconcile(tick.sql(), work, settings_);
  } catch (const Error& error) {
    // What a person requested is not a failure of the worker.
    if (error.code() != "SH-0389" && error.code() != "SH-0384") throw;
    host_.Warn(error.code(), error.what(), {{"hint", error.hint()}});
    current_findings_.Set(
        {{Severity::kWarning, "daily-reconciliation", error.what(), "a whole run", error.hint()}});
    return {};
  }
  const RunState& run = result.run;
  metrics_.Reconciled(run, std::chrono::duration<double>(host_.BootNow() - started).count());
  Findings all;
  ForEachPart(run, [&](const char*, const Findings& findings) { all.Add(findings); });
  ReportFindings("daily-reconciliation", all);
  if (run.Status() == "incomplete") {
    const std::string& error = run.books_error.empty() ? run.chains_error : run.books_error;
    current_findings_.Set(
        {{Severity::kWarning, "daily-reconciliation", "not everything could be checked: " + error,
          "every step checked", "`summa-host explain SH-0703`"}});
  }
  host_.Info("reconciled", {{"status", run.Status()},
                            {"entries", std::to_string(run.books.entries)},
                            {"accounts", std::to_string(run.books.accounts_checked)},
                            {"events", std::to_string(run.chains.events)},
                            {"mismatches", std::to_string(run.Mismatches())},
                            {"run_date", result.finished.run_date}});
  return {run.books.entries + run.chains.events, false, std::nullopt};
}

TickResult BlockWorker::Run(const Tick& tick) {
  Work work(host_, tick, settings_.max_rate);
  const SealOutcome outcome = BlockSealer(tick.sql(), work, settings_).Run();
  metrics_.Sealed(outcome);
  ReportFindings("block-checkpoint", outcome.findings);
  if (outcome.blocks > 0) {
    host_.Info("events sealed", {{"blocks", std::to_string(outcome.blocks)},
                                 {"events", std::to_string(outcome.events)},
                                 {"position", std::to_string(outcome.sealed_position)}});
  }
  return {outcome.events, false, std::nullopt};
}

TickResult SnapshotWorker::Run(const Tick& tick) {
  Work work(host_, tick, settings_.max_rate);
  const SnapshotOutcome outcome = SnapshotMaker(tick.sql(), work, settings_).CatchUp();
  metrics_.Snapshotted(outcome);
  ReportFindings("hash-snapshot-creator", outcome.findings);
  if (outcome.created > 0) {
    host_.Info("snapshots created", {{"created", std::to_string(outcome.created)},
                                     {"events", std::to_string(outcome.events)}});
  }
  return {outcome.created, false, std::nullopt};
}

TickResult RollingWorker::Run(const Tick& tick) {
  Work work(host_, tick, settings_.max_rate);
  Rolling rolling(tick.sql(), work, settings_, incomplete_);
  const RollingOutcome outcome = rolling.Next();
  metrics_.Rolled(outcome);
  if (outcome.part.empty()) return {};
  ReportFindings("rolling-verification", outcome.findings);
  if (outcome.incomplete) {
    const Error& error = *outcome.incomplete;
    host_.Log(SUMMA_LOG_WARN, error.code(), "a part was not read completely; it stays unverified",
              {{"part", outcome.part}, {"error", error.what()}, {"hint", error.hint()}});
    current_findings_.Set(
        {{Severity::kWarning, "rolling-verification",
          error.code() + " not read completely: " + error.what(), "every row read", error.hint()}});
  }
  host_.Debug("verified", {{"part", outcome.part}, {"rows", std::to_string(outcome.rows)}});
  return {outcome.rows, outcome.more_due, std::nullopt};
}

}  // namespace summa::reconciliation
