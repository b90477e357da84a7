#include "report.hpp"

namespace summa::reconciliation {
namespace {

// A step that could not be done is not healthy.
std::string NotChecked(const std::string& error) {
  JsonWriter json;
  json.BeginObject().Member("checked", false).Member("error", error).EndObject();
  return json.Take();
}

std::string Step3(const EventsReport& chains) {
  JsonWriter json;
  json.BeginObject()
      .Member("checked", true)
      .Member("blocksVerified", chains.blocks_verified)
      .Member("blocksValid", chains.blocks_valid)
      .Member("blocksFailed", chains.blocks_verified - chains.blocks_valid)
      .Key("failures")
      .BeginArray();
  for (const Discrepancy& failure : chains.blocks.kept()) json.Raw(DetailOf(failure));
  json.EndArray().EndObject();
  return json.Take();
}

// {"checked": true, "incremental": false, NAME: count}: every run checks everything.
std::string Counted(const char* name, const Findings& findings) {
  JsonWriter json;
  json.BeginObject()
      .Member("checked", true)
      .Member("incremental", false)
      .Member(name, findings.count())
      .EndObject();
  return json.Take();
}

std::string Compared(const char* name, std::int64_t checked, const Findings& findings) {
  JsonWriter json;
  json.BeginObject()
      .Member("checked", true)
      .Member(name, checked)
      .Member("mismatches", findings.count())
      .EndObject();
  return json.Take();
}

}  // namespace

std::int64_t RunState::Mismatches() const {
  std::int64_t count = 0;
  ForEachPart(*this, [&](const char*, const Findings& findings) { count += findings.count(); });
  return count;
}

std::string RunState::Status() const {
  if (Mismatches() > 0) return "mismatches_found";
  const bool whole = books_done && chains_done && books_error.empty() && chains_error.empty();
  return whole ? "healthy" : "incomplete";
}

SummaResult ToSumma(const RunState& run) {
  SummaResult result;
  const BooksReport& books = run.books;
  if (run.books_error.empty()) {
    result.step0 = Counted("imbalancedTransactions", books.transactions);
    result.step0b = Counted("duplicatesFound", books.duplicates);
    result.step0c = Counted("violationsFound", books.order);
    result.step1 = Compared("accountsChecked", books.accounts_checked, books.accounts);
    result.step2 =
        Compared("systemAccountsChecked", books.system_accounts_checked, books.system_accounts);
  } else {
    result.step0 = result.step0b = result.step0c = result.step1 = result.step2 =
        NotChecked(run.books_error);
  }
  result.step3 = run.chains_error.empty() ? Step3(run.chains) : NotChecked(run.chains_error);
  JsonWriter mismatches;
  mismatches.BeginArray();
  ForEachPart(run, [&](const char*, const Findings& findings) {
    for (const Discrepancy& finding : findings.kept()) {
      mismatches.BeginObject().Member("step", finding.step).Key("detail").Raw(DetailOf(finding));
      mismatches.EndObject();
    }
  });
  mismatches.EndArray();
  result.mismatches = mismatches.Take();
  return result;
}

void WriteResult(JsonWriter& json, const RunState& run) {
  const SummaResult result = ToSumma(run);
  json.BeginObject()
      .Member("status", run.Status())
      .Member("total_mismatches", run.Mismatches())
      .Key("step0_result")
      .Raw(result.step0)
      .Key("step0b_result")
      .Raw(result.step0b)
      .Key("step0c_result")
      .Raw(result.step0c)
      .Key("step1_result")
      .Raw(result.step1)
      .Key("step2_result")
      .Raw(result.step2)
      .Key("step3_result")
      .Raw(result.step3)
      .Key("mismatches")
      .Raw(result.mismatches)
      .EndObject();
}

std::string DetailOf(const Discrepancy& finding) {
  if (!finding.detail.empty()) return finding.detail;
  JsonWriter json;
  verify::Write(json, finding);
  return json.Take();
}

}  // namespace summa::reconciliation
