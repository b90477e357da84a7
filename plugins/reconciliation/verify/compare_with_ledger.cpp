#include "verify.hpp"

#include <summa/mutex.hpp>

#include <algorithm>
#include <array>
#include <functional>

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

// Which rows of a statement say nothing when the aggregate has events in detached partitions. All
// other rows stay findings: they compare an event that is there.
enum class Excuse {
  kNone,         // it compares single events, or knows of detached ones itself
  kTransaction,  // of a transaction that began before the end of such a partition
  kRefunds,      // refunds that are summed up over the events that are there
};
struct Comparison {
  std::string_view sql;
  Excuse excuse;
};

constexpr std::array<Comparison, 5> kDeployed = {{
    {sql::deployed_transactions, Excuse::kRefunds},
    {sql::deployed_holds, Excuse::kNone},
    {sql::deployed_records, Excuse::kTransaction},
    {sql::deployed_accounts, Excuse::kNone},
    {sql::deployed_orphans, Excuse::kNone},
}};
constexpr std::array<Comparison, 4> kPlan = {{
    {sql::plan_postings, Excuse::kTransaction},
    {sql::plan_holds, Excuse::kTransaction},
    {sql::plan_accounts, Excuse::kNone},
    {sql::plan_orphans, Excuse::kNone},
}};

std::span<const Comparison> StatementsOf(ledger::Layout layout) {
  if (layout == ledger::Layout::kPlan) return kPlan;
  return kDeployed;
}

// The plan's layout does not fix the types of events. Types of another vocabulary cannot be
// compared, and must not be taken for contradictions.
bool KnowsVocabulary(Session& session, ledger::Layout layout) {
  return layout != ledger::Layout::kPlan || session.Exec(sql::plan_vocabulary).Value<bool>();
}

// Replaces every mark, such as ":slice(", with its arguments and ")" by what `text` makes of them.
std::string Replaced(std::string_view sql, std::string_view mark,
                     const std::function<std::string(const std::string& arguments)>& text) {
  std::string out;
  for (std::size_t at; (at = sql.find(mark)) != std::string_view::npos;) {
    out.append(sql.substr(0, at));
    sql.remove_prefix(at + mark.size());
    const std::size_t end = sql.find(')');
    out.append(text(std::string(sql.substr(0, end))));
    sql.remove_prefix(end + 1);
  }
  return out.append(sql);
}

// :slice(column): the condition of slice `number` on that column. :detached(type, id): see
// Detached::Extent().
std::string Filled(std::string_view sql, std::int64_t number, std::int64_t count,
                   const Detached& detached) {
  const std::string sliced = Replaced(sql, ":slice(", [&](const std::string& column) {
    return UuidSlices(column, count)[static_cast<std::size_t>(number)];
  });
  return Replaced(sliced, ":detached(", [&](const std::string& arguments) {
    const std::size_t comma = arguments.find(", ");
    return detached.Extent(arguments.substr(0, comma), arguments.substr(comma + 2));
  });
}

// `statement` without the rows that say nothing.
std::string Excusing(std::string statement, Excuse excuse, const Detached& detached) {
  if (!detached.any() || excuse == Excuse::kNone) return statement;
  const std::string excused =
      excuse == Excuse::kTransaction
          ? detached.HasTransactionOf("f")
          : "(f.expected LIKE 'refunded so far %' AND f.expected NOT LIKE '%, %' AND (SELECT "
            "away.last_version > 0 FROM (" +
                detached.Extent("f.aggregate_type", "f.aggregate_id") + ") away))";
  return "SELECT f.* FROM (" + std::move(statement) + "\n) f WHERE NOT " + excused;
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
  const std::span<const Comparison> statements = StatementsOf(table.layout);
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
    const Comparison& comparison = statements[job % statements.size()];
    const Result found = own.Exec(
        Excusing(Filled(comparison.sql, slice, slices, detached), comparison.excuse, detached));
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
