#include "verify.hpp"

#include <summa/mutex.hpp>

#include <algorithm>
#include <array>

#include "detached.hpp"
#include "job_pool.hpp"
#include "ranges.hpp"
#include "uuid_slices.hpp"
#include "verify_sql.hpp"

namespace summa::verify {
namespace {

// Events of one statement: it compares and aggregates in the server's memory, about a second's
// work.
constexpr std::int64_t kEventsPerSlice = 100'000;

constexpr std::array<std::string_view, 5> kDeployed = {
    sql::deployed_transactions, sql::deployed_holds, sql::deployed_records, sql::deployed_accounts,
    sql::deployed_orphans};
constexpr std::array<std::string_view, 4> kPlan = {sql::plan_postings, sql::plan_holds,
                                                   sql::plan_accounts, sql::plan_orphans};

std::span<const std::string_view> StatementsOf(ledger::Layout layout) {
  if (layout == ledger::Layout::kPlan) return kPlan;
  return kDeployed;
}

// The plan's layout does not fix the types of events. Types of another vocabulary cannot be
// compared, and must not be taken for contradictions.
bool KnowsVocabulary(Session& session, ledger::Layout layout) {
  return layout != ledger::Layout::kPlan || session.Exec(sql::plan_vocabulary).Value<bool>();
}

// Replaces every :slice(column) by the condition of slice `number` on that column.
std::string Sliced(std::string_view sql, std::int64_t number, std::int64_t count) {
  constexpr std::string_view kMark = ":slice(";
  std::string out;
  for (std::size_t mark; (mark = sql.find(kMark)) != std::string_view::npos;) {
    out.append(sql.substr(0, mark));
    sql.remove_prefix(mark + kMark.size());
    const std::size_t end = sql.find(')');
    const std::string column(sql.substr(0, end));
    out.append(UuidSlices(column, count)[static_cast<std::size_t>(number)]);
    sql.remove_prefix(end + 1);
  }
  return out.append(sql);
}

// What tells of events in detached partitions is not compared.
std::string WithoutDetached(std::string statement, const Detached& detached) {
  if (!detached.any()) return statement;
  return "SELECT f.* FROM (" + std::move(statement) + "\n) f WHERE NOT " + detached.Excuses("f");
}

std::string UuidText(const Row& row, std::string_view name) {
  const auto id = row.Get<std::optional<Uuid>>(name);
  return id ? ToText(*id) : "";
}

Finding ToFinding(const Row& row) {
  Finding finding;
  finding.kind = kind::kEventContradictsLedger;
  finding.step = "ledger";
  finding.aggregate_type = row.Get<std::string>("aggregate_type");
  finding.aggregate_id = UuidText(row, "aggregate_id");
  finding.version = row.Get<std::optional<std::int64_t>>("version");
  finding.event_id = UuidText(row, "event_id");
  finding.position = row.Get<std::optional<std::int64_t>>("position");
  finding.account_id = UuidText(row, "account_id");
  finding.transaction_id = UuidText(row, "transaction_id");
  finding.expected = row.Get<std::string>("expected");
  finding.found = row.Get<std::string>("found");
  return finding;
}

}  // namespace

LedgerReport CompareWithLedger(const summa_sql_v1* sql, const VerifyOptions& options) {
  Session session(sql, options.database);
  const ledger::EventTable table = ledger::FindEvents(session);
  const std::span<const std::string_view> statements = StatementsOf(table.layout);
  LedgerReport report;
  if (!KnowsVocabulary(session, table.layout)) return report;
  report.events = EstimatedRows(session, table);
  const std::int64_t per_slice = std::min(kEventsPerSlice, RowsPerRange(options));
  const std::int64_t slices =
      static_cast<std::int64_t>(UuidSlices("", report.events / per_slice + 1).size());
  // A slice is done whole before the next one, so that its pages are still in the cache.
  const std::size_t jobs = static_cast<std::size_t>(slices) * statements.size();
  std::vector<std::vector<Finding>> found_by_job(jobs);
  JobPool pool(sql, options, "ledger", report.events);
  Mutex mutex;
  pool.Run(jobs, [&](Session& own, std::size_t job, JobMeter& meter) {
    own.Exec("LOCK TABLE " + table.name + " IN ACCESS SHARE MODE");
    const Detached detached = Detached::Find(own, table);
    const auto slice = static_cast<std::int64_t>(job / statements.size());
    const Result found = own.Exec(
        WithoutDetached(Sliced(statements[job % statements.size()], slice, slices), detached));
    meter.Count(report.events / static_cast<std::int64_t>(jobs));
    std::vector<Finding> findings;
    findings.reserve(std::min(found.rows(), options.max_findings));
    for (std::size_t row = 0; row < found.rows() && row < options.max_findings; ++row) {
      findings.push_back(ToFinding(found[row]));
    }
    const MutexLock lock(mutex);
    report.finding_count += static_cast<std::int64_t>(found.rows());
    found_by_job[job] = std::move(findings);
  });
  for (std::vector<Finding>& findings : found_by_job) {
    for (Finding& finding : findings) {
      if (report.findings.size() < options.max_findings) {
        report.findings.push_back(std::move(finding));
      }
    }
  }
  report.seconds = pool.Seconds();
  return report;
}

}  // namespace summa::verify
