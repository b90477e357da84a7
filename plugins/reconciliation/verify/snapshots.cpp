#include "verify.hpp"

#include "crew.hpp"
#include "event_lookup.hpp"
#include "snapshot_table.hpp"
#include "uuid_slices.hpp"

namespace summa::verify {
namespace {

// Snapshots of one statement: an index probe each, far below any statement_timeout.
constexpr std::int64_t kSnapshotsPerSlice = 100'000;

Finding ToFinding(std::string_view kind, const Result& found, std::size_t row) {
  Finding finding;
  finding.kind = kind;
  finding.step = "snapshots";
  finding.aggregate_type = found.At(row, 0).Text();
  finding.aggregate_id = ToText(found.At(row, 1).AsUuid());
  finding.version = found.At(row, 2).Integer();
  finding.expected = found.At(row, 3).Text();
  finding.found = found.At(row, 4).null() ? "no such event" : found.At(row, 4).Text();
  return finding;
}

std::string MismatchStatement(const ledger::EventTable& t, const std::string& snapshots,
                              const std::string& slice) {
  return "SELECT s.aggregate_type, s.aggregate_id, s.snapshot_version::bigint, s.snapshot_hash, "
         "e." +
         t.hash + " FROM " + snapshots + " s LEFT JOIN " + t.name +
         " e ON e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id AND e." +
         t.version + " = s.snapshot_version WHERE " + slice + " AND e." + t.hash +
         " IS DISTINCT FROM s.snapshot_hash ORDER BY 1, 2, 3";
}

// Versions below a snapshot are 1, 2 .. without a gap: there must be as many events as its version
// says.
std::string CountStatement(const ledger::EventTable& t, const std::string& snapshots,
                           const std::string& slice) {
  return "SELECT * FROM (SELECT s.aggregate_type, s.aggregate_id, s.version, "
         "s.version::text || ' events', (SELECT count(*) FROM " +
         t.name +
         " e WHERE e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id AND e." +
         t.version +
         " <= s.version)::text || ' events' AS counted FROM (SELECT aggregate_type, "
         "aggregate_id, max(snapshot_version)::bigint AS version FROM " +
         snapshots + " s WHERE " + slice +
         " GROUP BY 1, 2) s) counts WHERE counted <> version || ' events' ORDER BY 1, 2";
}

}  // namespace

SnapshotReport VerifySnapshots(const summa_sql_v1* sql, const VerifyOptions& options) {
  SnapshotReport report;
  Session session(sql, options.database);
  const ledger::EventTable table = ledger::FindEvents(session);
  if (!HasSnapshots(session, options.snapshot_table)) return report;
  report.snapshots =
      session.Exec("SELECT count(*) FROM " + options.snapshot_table).At(0, 0).Integer();
  const std::vector<std::string> slices =
      UuidSlices("s.aggregate_id", report.snapshots / kSnapshotsPerSlice + 1);
  std::mutex mutex;
  Crew crew(sql, options, "snapshots", report.snapshots);
  crew.Run(slices.size(), [&](Session& own, std::size_t job, JobMeter& meter) {
    own.Exec("LOCK TABLE " + table.name + " IN ACCESS SHARE MODE");
    const Result changed = own.Exec(MismatchStatement(table, options.snapshot_table, slices[job]));
    const Result gone = own.Exec(CountStatement(table, options.snapshot_table, slices[job]));
    meter.Count(report.snapshots / static_cast<std::int64_t>(slices.size()));
    const std::lock_guard lock(mutex);
    report.mismatches += static_cast<std::int64_t>(changed.rows() + gone.rows());
    for (std::size_t row = 0; row < changed.rows(); ++row) {
      report.findings.push_back(ToFinding(kind::kSnapshotMismatch, changed, row));
    }
    for (std::size_t row = 0; row < gone.rows(); ++row) {
      report.findings.push_back(ToFinding(kind::kVersionGap, gone, row));
    }
  });
  if (report.findings.size() > options.most_findings) {
    report.findings.resize(options.most_findings);
  }
  IdentifyEvents(session, table, report.findings);
  return report;
}

}  // namespace summa::verify
