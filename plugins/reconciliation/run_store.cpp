#include "run_store.hpp"

#include <algorithm>
#include <climits>
#include <map>
#include <summa/crash_point.hpp>
#include <utility>

#include "reconciliation_sql.hpp"

namespace summa::reconciliation {
namespace {

// Runs older than this are forgotten here; Summa's rows are never deleted.
constexpr std::int64_t kKeptDays = 90;

Parameter OrNull(const std::string& text) {
  return text.empty() ? Parameter(nullptr) : Parameter(text);
}

// Where a run is, in the words of the journal; rows: of all that it has read.
OperationProgress PlaceOf(const RunState& run, bool finished) {
  OperationProgress place;
  place.phase = !run.books_done ? "books" : run.chains_done ? "result" : "chains";
  if (run.accounts_through) place.cursor = ToText(*run.accounts_through);
  place.rows = run.books.entries + run.chains.events;
  place.finished = finished;
  return place;
}

using KeptFindings = std::map<std::string, std::vector<Discrepancy>>;  // by part

KeptFindings ReadFindings(Session& session, std::int64_t run_id) {
  KeptFindings kept;
  const Result rows = session.Exec(sql::findings, {run_id});
  for (const Row row : rows) {
    Discrepancy finding;
    finding.kind = row.Get<std::string>("kind");
    finding.step = row.Get<std::string>("step");
    finding.detail = row.Get<std::optional<std::string>>("detail").value_or("");
    kept[row.Get<std::string>("part")].push_back(std::move(finding));
  }
  return kept;
}

RunState ReadRun(Session& session, const Row& row) {
  RunState run;
  run.id = row.Get<std::int64_t>("id");
  run.accounts_through = row.Get<std::optional<Uuid>>("accounts_through");
  run.books_done = row.Get<bool>("books_done");
  run.chains_done = row.Get<bool>("chains_done");
  run.books_error = row.Get<std::string>("books_error");
  run.chains_error = row.Get<std::string>("chains_error");
  run.books.entries = row.Get<std::int64_t>("entries");
  run.books.accounts_checked = row.Get<std::int64_t>("accounts_checked");
  run.books.system_accounts_checked = row.Get<std::int64_t>("system_accounts_checked");
  run.chains.events = row.Get<std::int64_t>("events");
  run.chains.blocks_verified = row.Get<std::int64_t>("blocks_verified");
  run.chains.blocks_valid = row.Get<std::int64_t>("blocks_valid");
  KeptFindings kept = ReadFindings(session, run.id);
  ForEachPart(run, [&](const char* part, Findings& findings) {
    findings = Findings(row.Get<std::int64_t>(std::string(part) + "_found"), std::move(kept[part]));
  });
  return run;
}

}  // namespace

RunStore::RunStore(Session& session)
    : begin_([&session]() -> Session& {
        session.Begin();
        return session;
      }),
      commit_([&session](const RunState&, bool) { session.Commit(); }) {}

RunStore::RunStore(OperationStep& step)
    : begin_([&step]() -> Session& { return step.Transaction(); }),
      commit_([&step, counted = step.done()](const RunState& run, bool finished) mutable {
        OperationProgress progress = PlaceOf(run, finished);
        const std::int64_t all = std::max(progress.rows, counted);
        progress.rows = all - std::exchange(counted, all);
        step.Save(progress);
      }) {}

RunState RunStore::Begin() {
  Session& session = begin_();
  session.Exec(sql::run_abandon, {std::chrono::microseconds(kOldest).count()});
  session.Exec(sql::run_prune, {kKeptDays});
  Result row = session.Exec(sql::run_open);
  if (row.rows() == 0) {
    session.Exec("INSERT INTO summa_host.reconciliation_run DEFAULT VALUES");
    row = session.Exec(sql::run_open);
  }
  RunState run = ReadRun(session, row[0]);
  ForEachPart(run, [&](const char* part, const Findings& findings) {
    saved_[part] = findings.kept().size();
  });
  CrashPoint("reconciliation.begin");
  commit_(run, false);
  CrashPoint("reconciliation.begun");
  return run;
}

void RunStore::Abandon(Session& session) { session.Exec(sql::run_abandon, {std::int64_t{0}}); }

void RunStore::SaveFindings(Session& session, const RunState& run) {
  ForEachPart(run, [&](const char* part, const Findings& findings) {
    std::size_t& saved = saved_[part];
    for (; saved < findings.kept().size(); ++saved) {
      const Discrepancy& finding = findings.kept()[saved];
      JsonWriter json;
      verify::Write(json, finding);
      session.Exec(sql::finding_insert,
                   {run.id, part, finding.kind, finding.step, DetailOf(finding), json.text()});
    }
  });
}

void RunStore::Save(const RunState& run, std::optional<std::int64_t> entries_until) {
  Session& session = begin_();
  std::vector<Parameter> values = {
      run.id,
      run.accounts_through ? UuidValue(*run.accounts_through) : Parameter(nullptr),
      run.books_done,
      run.chains_done,
      OrNull(run.books_error),
      OrNull(run.chains_error),
      run.books.entries,
      run.books.accounts_checked,
      run.books.system_accounts_checked,
      run.chains.events,
      run.chains.blocks_verified,
      run.chains.blocks_valid};
  ForEachPart(
      run, [&](const char*, const Findings& findings) { values.emplace_back(findings.count()); });
  values.push_back(entries_until ? Timestamp(*entries_until) : Parameter(nullptr));
  session.Exec(sql::run_save, values);
  SaveFindings(session, run);
  CrashPoint("reconciliation.save");
  commit_(run, false);
  CrashPoint("reconciliation.saved");
}

FinishedRun RunStore::Finish(const RunState& run) {
  const SummaResult result = ToSumma(run);
  const std::int64_t mismatches = std::min<std::int64_t>(run.Mismatches(), INT_MAX);
  Session& session = begin_();
  const Result row = session.Exec(sql::run_finish, {run.id, run.Status(), mismatches, result.step0,
                                                    result.step0b, result.step0c, result.step1,
                                                    result.step2, result.step3, result.mismatches});
  const auto result_id = row[0].Get<std::string>("id");
  // The mark from which Summa itself would continue: only when everything before it was checked.
  if (run.books_done && run.books_error.empty()) {
    session.Exec(sql::watermark, {run.id, mismatches});
  }
  session.Exec("UPDATE summa_host.reconciliation_run SET result_id = $2::uuid WHERE id = $1",
               {run.id, result_id});
  CrashPoint("reconciliation.finish");
  commit_(run, true);
  CrashPoint("reconciliation.finished");
  return {result_id, row[0].Get<std::string>("run_date"), row[0].Get<std::int64_t>("duration_ms")};
}

}  // namespace summa::reconciliation
