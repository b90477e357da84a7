#include "run_store.hpp"

#include <algorithm>
#include <climits>
#include <map>
#include <summa/crash_point.hpp>

#include "reconciliation_sql.hpp"

namespace summa::reconciliation {
namespace {

// Runs older than this are forgotten here; Summa's rows are never deleted.
constexpr std::int64_t kKeptDays = 90;

std::optional<Uuid> ReadUuid(const Cell& cell) {
  if (cell.null()) return std::nullopt;
  return cell.AsUuid();
}

Parameter OrNull(const std::string& text) {
  return text.empty() ? Parameter(nullptr) : Parameter(text);
}

using KeptFindings = std::map<std::string, std::vector<Discrepancy>>;  // by part

KeptFindings ReadFindings(Session& session, std::int64_t run_id) {
  KeptFindings kept;
  const Result rows = session.Exec(sql::findings, {run_id});
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    Discrepancy finding;
    finding.kind = rows.At(i, 1).Text();
    finding.step = rows.At(i, 2).Text();
    finding.detail = rows.At(i, 3).Text();
    kept[std::string(rows.At(i, 0).Text())].push_back(std::move(finding));
  }
  return kept;
}

RunState ReadRun(Session& session, const Result& row) {
  RunState run;
  run.id = row.At(0, 0).Integer();
  run.accounts_through = ReadUuid(row.At(0, 1));
  run.books_done = row.At(0, 2).Boolean();
  run.chains_done = row.At(0, 3).Boolean();
  run.books_error = row.At(0, 4).Text();
  run.chains_error = row.At(0, 5).Text();
  run.books.entries = row.At(0, 6).Integer();
  run.books.accounts_checked = row.At(0, 7).Integer();
  run.books.system_accounts_checked = row.At(0, 8).Integer();
  run.chains.events = row.At(0, 9).Integer();
  run.chains.blocks_verified = row.At(0, 10).Integer();
  run.chains.blocks_valid = row.At(0, 11).Integer();
  KeptFindings kept = ReadFindings(session, run.id);
  std::size_t column = 12;  // the counts, in the order of the parts
  ForEachPart(run, [&](const char* part, Findings& findings) {
    findings = Findings(row.At(0, column++).Integer(), std::move(kept[part]));
  });
  return run;
}

}  // namespace

RunState RunStore::Begin() {
  session_.Begin();
  session_.Exec(sql::run_abandon, {std::chrono::microseconds(kOldest).count()});
  session_.Exec(sql::run_prune, {kKeptDays});
  Result row = session_.Exec(sql::run_open);
  if (row.rows() == 0) {
    session_.Exec("INSERT INTO summa_host.reconciliation_run DEFAULT VALUES");
    row = session_.Exec(sql::run_open);
  }
  RunState run = ReadRun(session_, row);
  ForEachPart(run, [&](const char* part, const Findings& findings) {
    saved_[part] = findings.kept().size();
  });
  CrashPoint("reconciliation.begin");
  session_.Commit();
  CrashPoint("reconciliation.begun");
  return run;
}

void RunStore::SaveFindings(const RunState& run) {
  ForEachPart(run, [&](const char* part, const Findings& findings) {
    std::size_t& saved = saved_[part];
    for (; saved < findings.kept().size(); ++saved) {
      const Discrepancy& finding = findings.kept()[saved];
      JsonWriter json;
      verify::Write(json, finding);
      session_.Exec(sql::finding_insert,
                    {run.id, part, finding.kind, finding.step, DetailOf(finding), json.text()});
    }
  });
}

void RunStore::Save(const RunState& run, std::optional<std::int64_t> entries_until) {
  session_.Begin();
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
  session_.Exec(sql::run_save, values);
  SaveFindings(run);
  CrashPoint("reconciliation.save");
  session_.Commit();
  CrashPoint("reconciliation.saved");
}

FinishedRun RunStore::Finish(const RunState& run) {
  const SummaResult result = ToSumma(run);
  const std::int64_t mismatches = std::min<std::int64_t>(run.Mismatches(), INT_MAX);
  session_.Begin();
  const Result row =
      session_.Exec(sql::run_finish,
                    {run.id, run.Status(), mismatches, result.step0, result.step0b, result.step0c,
                     result.step1, result.step2, result.step3, result.mismatches});
  // The mark from which Summa itself would go on: only when everything before it was looked at.
  if (run.books_done && run.books_error.empty()) {
    session_.Exec(sql::watermark, {run.id, mismatches});
  }
  session_.Exec("UPDATE summa_host.reconciliation_run SET result_id = $2::uuid WHERE id = $1",
                {run.id, row.At(0, 0).Text()});
  CrashPoint("reconciliation.finish");
  session_.Commit();
  CrashPoint("reconciliation.finished");
  return {std::string(row.At(0, 0).Text()), std::string(row.At(0, 1).Text()),
          row.At(0, 2).Integer()};
}

}  // namespace summa::reconciliation
