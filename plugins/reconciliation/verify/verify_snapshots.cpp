#include "verify.hpp"

#include <summa/mutex.hpp>

#include "detached.hpp"
#include "event_lookup.hpp"
#include "job_pool.hpp"
#include "snapshot_table.hpp"
#include "uuid_slices.hpp"

namespace summa::verify {
namespace {

// Snapshots of one statement: an index probe each, far below any statement_timeout.
constexpr std::int64_t kSnapshotsPerSlice = 100'000;

Finding ToFinding(std::string_view kind, const Row& row) {
  Finding finding;
  finding.kind = kind;
  finding.step = "snapshots";
  finding.aggregate_type = row.Get<std::string>("aggregate_type");
  finding.aggregate_id = ToText(row.Get<Uuid>("aggregate_id"));
  finding.version = row.Get<std::int64_t>("version");
  finding.expected = row.Get<std::string>("expected");
  finding.found = row.Get<std::optional<std::string>>("found").value_or("no such event");
  return finding;
}

// An event in a detached partition is not missing; its hash is known when it was the last there.
std::string MismatchStatement(const ledger::EventTable& t, const Detached& detached,
                              const std::string& snapshots, const std::string& slice) {
  const std::string excused = detached.any()
                                  ? " AND NOT (e.id IS NULL AND " +
                                        detached.Contains("s.aggregate_type", "s.aggregate_id",
                                                          "s.snapshot_version", "s.snapshot_hash") +
                                        ")"
                                  : "";
  return "SELECT s.aggregate_type, s.aggregate_id, s.snapshot_version::bigint AS version, "
         "s.snapshot_hash AS expected, e." +
         t.hash + " AS found FROM " + snapshots + " s LEFT JOIN " + t.name +
         " e ON e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id AND e." +
         t.version + " = s.snapshot_version WHERE " + slice + " AND e." + t.hash +
         " IS DISTINCT FROM s.snapshot_hash" + excused + " ORDER BY 1, 2, 3";
}

// Versions below a snapshot are 1, 2 .. without a gap: there must be as many events as its version
// says.
std::string CountStatement(const ledger::EventTable& t, const Detached& detached,
                           const std::string& snapshots, const std::string& slice) {
  const std::string elsewhere =
      detached.any() ? " + " + detached.CountUpTo("s.aggregate_type", "s.aggregate_id", "s.version")
                     : "";
  return "SELECT * FROM (SELECT s.aggregate_type, s.aggregate_id, s.version, "
         "s.version::text || ' events' AS expected, ((SELECT count(*) FROM " +
         t.name +
         " e WHERE e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id AND e." +
         t.version + " <= s.version)" + elsewhere +
         ")::text || ' events' AS found FROM (SELECT aggregate_type, "
         "aggregate_id, max(snapshot_version)::bigint AS version FROM " +
         snapshots + " s WHERE " + slice +
         " GROUP BY 1, 2) s) counts WHERE found <> expected ORDER BY 1, 2";
}

}  // namespace

SnapshotReport VerifySnapshots(const summa_sql_v1* sql, const VerifyOptions& options) {
  SnapshotReport report;
  Session session(sql, options.database);
  const ledger::EventTable table = ledger::FindEvents(session);
  if (!HasSnapshots(session, options.snapshot_table)) return report;
  report.snapshots =
      session.Exec("SELECT count(*) FROM " + options.snapshot_table).Value<std::int64_t>();
  const std::vector<std::string> slices =
      UuidSlices("s.aggregate_id", report.snapshots / kSnapshotsPerSlice + 1);
  Mutex mutex;
  JobPool pool(sql, options, "snapshots", report.snapshots);
  pool.Run(slices.size(), [&](Session& own, std::size_t job, JobMeter& meter) {
    own.Exec("LOCK TABLE " + table.name + " IN ACCESS SHARE MODE");
    const Detached detached = Detached::Find(own, table);
    const Result changed =
        own.Exec(MismatchStatement(table, detached, options.snapshot_table, slices[job]));
    const Result gone =
        own.Exec(CountStatement(table, detached, options.snapshot_table, slices[job]));
    meter.Count(report.snapshots / static_cast<std::int64_t>(slices.size()));
    const MutexLock lock(mutex);
    report.mismatches += static_cast<std::int64_t>(changed.rows() + gone.rows());
    for (const Row row : changed) {
      report.findings.push_back(ToFinding(kind::kSnapshotMismatch, row));
    }
    for (const Row row : gone) report.findings.push_back(ToFinding(kind::kVersionGap, row));
  });
  if (report.findings.size() > options.max_findings) {
    report.findings.resize(options.max_findings);
  }
  IdentifyEvents(session, table, report.findings);
  return report;
}

}  // namespace summa::verify
