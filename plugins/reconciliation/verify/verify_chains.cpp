#include "verify.hpp"

#include <algorithm>
#include <map>
#include <summa/copy_row.hpp>
#include <summa/mutex.hpp>
#include <tuple>

#include "chain_walker.hpp"
#include "detached.hpp"
#include "event_lookup.hpp"
#include "job_pool.hpp"
#include "ranges.hpp"
#include "snapshot_table.hpp"

namespace summa::verify {
namespace {

// The walk counts, and looks whether to stop, after this many rows.
constexpr std::int64_t kRowsPerCount = 512;

struct Plan {
  ledger::EventTable table;
  std::vector<Range> ranges;
  bool snapshots = false;  // start from them
  bool looks_back = false;
  // Of a single aggregate.
  std::optional<SnapshotStart> start;
  std::string created_from;  // a literal; older partitions are not read
};

// The statement of a range. Its columns: id (unless there is one aggregate only), version, previous
// hash, hash, data, then what the mode adds.
std::string Statement(const Plan& plan, const Detached& detached, const VerifyOptions& options,
                      const Range& range, std::optional<std::int64_t> version_from) {
  const ledger::EventTable& t = plan.table;
  std::string columns = range.only ? "" : "e.aggregate_id, ";
  columns +=
      "e." + t.version + "::bigint, e." + t.previous_hash + ", e." + t.hash + ", e.event_data";
  std::string source = t.name + " e", condition = Condition(t, range);
  if (version_from) condition += " AND e." + t.version + " >= " + std::to_string(*version_from);
  if (!plan.created_from.empty()) condition += " AND e.created_at >= " + plan.created_from;
  if (plan.snapshots && !range.only) {
    columns += ", s.snapshot_version::bigint, s.snapshot_hash";
    source += " LEFT JOIN " + LatestSnapshots(options.snapshot_table, range) +
              " s ON s.aggregate_id = e.aggregate_id";
    condition += " AND e." + t.version + " >= coalesce(s.snapshot_version, 0)";
  }
  if (plan.looks_back) {
    // The subquery runs only where the row before is another event.
    columns += ", CASE WHEN e." + t.version + " > 1 AND lag(e." + t.version +
               ") OVER (PARTITION BY e.aggregate_id ORDER BY e." + t.version +
               ") IS DISTINCT FROM e." + t.version + " - 1 THEN (SELECT p." + t.hash + " FROM " +
               t.name +
               " p WHERE p.aggregate_type = e.aggregate_type AND p.aggregate_id = "
               "e.aggregate_id AND p." +
               t.version + " = e." + t.version + " - 1 LIMIT 1) END";
    condition += " AND e.created_at >= timestamptz '2000-01-01 00:00:00+00' + interval '" +
                 std::to_string(*options.created_since) + " microseconds'";
  }
  if (detached.any()) {
    columns += ", CASE WHEN e." + t.version + " > 1 AND lag(e." + t.version +
               ") OVER (PARTITION BY e.aggregate_id ORDER BY e." + t.version +
               ") IS DISTINCT FROM e." + t.version + " - 1 THEN (" +
               detached.RunsBelow("e.aggregate_type", "e.aggregate_id", "e." + t.version) + ") END";
  }
  return "COPY (SELECT " + columns + " FROM " + source + " WHERE " + condition + " ORDER BY " +
         (range.only ? "" : "e.aggregate_id, ") + "e." + t.version + ") TO STDOUT (FORMAT binary)";
}

// The first event of a piece is linked to the last of the piece before.
std::optional<ChainWalker::Start> StartOf(Session& session, const Plan& plan,
                                          const VerifyOptions& options, const Range& range) {
  if (!range.only || plan.looks_back) return std::nullopt;
  std::optional<SnapshotStart> snapshot = plan.start;
  if (plan.snapshots) {
    snapshot = LatestSnapshot(session, options.snapshot_table, range.aggregate_type, *range.only);
  }
  if (snapshot && snapshot->version >= range.version_from.value_or(0)) {
    return ChainWalker::Start{snapshot->version, std::nullopt, snapshot->hash};
  }
  if (!range.version_from) return std::nullopt;
  ChainWalker::Start start{*range.version_from, std::nullopt, std::nullopt};
  const Result before =
      session.Exec("SELECT e." + plan.table.hash + " AS hash FROM " + plan.table.name +
                       " e WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND e." +
                       plan.table.version + " = $3::bigint LIMIT 1",
                   {range.aggregate_type, UuidValue(*range.only), start.version - 1});
  if (before.rows() > 0) start.predecessor_hash = before[0].Get<std::string>("hash");
  return start;
}

WalkResult Walk(Session& session, const Plan& plan, const VerifyOptions& options,
                const Range& range, JobMeter& meter) {
  // A snapshot taken before the lock would miss what a detach or a swap moves meanwhile.
  session.Exec("LOCK TABLE " + plan.table.name + " IN ACCESS SHARE MODE");
  // For each range anew: a partition may leave while the others are read.
  const Detached detached = Detached::Find(session, plan.table);
  ChainWalker::Settings settings{options.hmac_secret, options.max_findings, range.only.has_value(),
                                 StartOf(session, plan, options, range), plan.looks_back};
  std::optional<std::int64_t> version_from;
  if (settings.start && settings.start->trusted_hash) {
    version_from = settings.start->version;
    if (range.version_to && *version_from >= *range.version_to) return {};
  }
  ChainWalker walker(settings);
  CopyRow row;
  std::int64_t rows = 0;
  session.CopyOut(
      Statement(plan, detached, options, range, version_from), [&](std::string_view message) {
        if (!row.Open(message)) return true;
        EventRow event;
        if (range.only) {
          event.aggregate_id = *range.only;
        } else {
          event.aggregate_id = row.Next<Uuid>();
        }
        event.version = row.Next<std::int64_t>();
        event.previous_hash = row.Next<std::optional<std::string_view>>();
        // Where the columns of Summa may be NULL by now: wrong, and a finding like any other value.
        event.hash = row.Next<std::optional<std::string_view>>().value_or("");
        event.data = row.Next<std::optional<Jsonb>>().value_or(Jsonb{}).text;
        if (plan.snapshots && !range.only) {
          event.snapshot_version = row.Next<std::optional<std::int64_t>>();
          event.snapshot_hash = row.Next<std::optional<std::string_view>>().value_or("");
        }
        if (plan.looks_back) event.predecessor_hash = row.Next<std::optional<std::string_view>>();
        if (detached.any()) {
          event.detached = row.Next<std::optional<std::string_view>>().value_or("");
        }
        walker.Step(event);
        return ++rows % kRowsPerCount != 0 || meter.Count(kRowsPerCount);
      });
  meter.Count(rows % kRowsPerCount);
  return walker.Finish();
}

// Puts the results of the ranges together, in their order.
class ResultCollector {
 public:
  ResultCollector(const Plan& plan, const VerifyOptions& options)
      : plan_(plan), options_(options) {}

  void Add(std::size_t range, WalkResult result) {
    const MutexLock lock(mutex_);
    report_.events += result.events;
    report_.aggregates += result.aggregates;
    report_.events_in_valid_prefixes += result.good_events;
    report_.snapshots_used += result.snapshots_used;
    report_.across_detached += result.across_detached;
    report_.broken_count += result.broken_count;
    report_.finding_count += result.flaw_count;
    const std::string& type = plan_.ranges[range].aggregate_type;
    for (const Segment& segment : result.broken) KeepBroken(type, segment);
    for (const Flaw& flaw : result.flaws) {
      if (report_.findings.size() < options_.max_findings) {
        report_.findings.push_back(ToFinding(type, flaw));
      }
    }
    if (result.piece) pieces_[range] = *result.piece;
  }

  ChainReport Finish() {
    const MutexLock lock(mutex_);
    JoinPieces();
    std::sort(report_.broken.begin(), report_.broken.end(), [](const auto& a, const auto& b) {
      return std::tie(a.aggregate_type, a.aggregate_id) <
             std::tie(b.aggregate_type, b.aggregate_id);
    });
    std::stable_sort(report_.findings.begin(), report_.findings.end(),
                     [](const Finding& a, const Finding& b) {
                       return std::tie(a.aggregate_type, a.aggregate_id, a.version) <
                              std::tie(b.aggregate_type, b.aggregate_id, b.version);
                     });
    return std::move(report_);
  }

 private:
  static Finding ToFinding(const std::string& type, const Flaw& flaw) {
    Finding finding;
    finding.kind = flaw.kind;
    finding.step = "chains";
    finding.aggregate_type = type;
    finding.aggregate_id = ToText(flaw.aggregate_id);
    finding.version = flaw.version;
    finding.expected = flaw.expected;
    finding.found = flaw.found;
    return finding;
  }

  void KeepBroken(const std::string& type, const Segment& segment) SUMMA_REQUIRES(mutex_) {
    if (report_.broken.size() >= options_.max_findings) return;
    report_.broken.push_back(
        {type, ToText(segment.aggregate_id), *segment.broken_at, segment.good_events});
  }

  // The pieces of an aggregate follow one another.
  void JoinPieces() SUMMA_REQUIRES(mutex_) {
    for (auto piece = pieces_.begin(); piece != pieces_.end();) {
      const std::string& type = plan_.ranges[piece->first].aggregate_type;
      Segment whole = piece->second;
      for (++piece; piece != pieces_.end() && SameAggregate(type, whole, *piece); ++piece) {
        whole.across_detached |= piece->second.across_detached;
        if (whole.broken_at) continue;
        whole.good_events += piece->second.good_events;
        whole.broken_at = piece->second.broken_at;
      }
      ++report_.aggregates;
      if (whole.across_detached) ++report_.across_detached;
      report_.events_in_valid_prefixes += whole.good_events;
      if (!whole.broken_at) continue;
      ++report_.broken_count;
      KeepBroken(type, whole);
    }
  }

  bool SameAggregate(const std::string& type, const Segment& segment,
                     const std::pair<const std::size_t, Segment>& piece) const {
    return piece.second.aggregate_id == segment.aggregate_id &&
           plan_.ranges[piece.first].aggregate_type == type;
  }

  const Plan& plan_;
  const VerifyOptions& options_;
  Mutex mutex_;
  ChainReport report_ SUMMA_GUARDED_BY(mutex_);
  std::map<std::size_t, Segment> pieces_ SUMMA_GUARDED_BY(mutex_);
};

// Walks all ranges of the plan.
ChainReport Execute(const summa_sql_v1* sql, const VerifyOptions& options, const Plan& plan,
                    std::int64_t rows) {
  ResultCollector collector(plan, options);
  JobPool pool(sql, options, "chains", rows);
  pool.Run(plan.ranges.size(), [&](Session& own, std::size_t job, JobMeter& meter) {
    collector.Add(job, Walk(own, plan, options, plan.ranges[job], meter));
  });
  ChainReport report = collector.Finish();
  report.seconds = pool.Seconds();
  return report;
}

// Of versions. Each end is searched in every partition, so the first one only when it is wanted.
struct Extent {
  std::optional<std::int64_t> first, last;  // nothing: there is no event
};

Extent ExtentOf(Session& session, const ledger::EventTable& table, const std::string& type,
                const Uuid& id, bool with_first) {
  const auto end = [&](const char* function) {
    return session
        .Exec("SELECT " + std::string(function) + "(" + table.version + ")::bigint FROM " +
                  table.name + " WHERE aggregate_type = $1 AND aggregate_id = $2",
              {type, UuidValue(id)})
        .Value<std::optional<std::int64_t>>();
  };
  Extent extent;
  extent.last = end("max");
  if (with_first && extent.last) extent.first = end("min");
  return extent;
}

// An aggregate in pieces of equal length, so that several connections share a large one.
std::vector<Range> PiecesOf(const std::string& type, const Uuid& id, std::int64_t from,
                            std::int64_t last, std::int64_t rows_per_range) {
  std::vector<Range> pieces;
  Range piece;
  piece.aggregate_type = type;
  piece.only = id;
  for (std::int64_t next = from + rows_per_range; next <= last; next += rows_per_range) {
    piece.version_to = next;
    pieces.push_back(piece);
    piece.version_from = next;
  }
  piece.version_to.reset();
  pieces.push_back(piece);
  return pieces;
}

// Where to begin in time: created_at is the start of a transaction, and one that started earlier
// may have written a later version. If the margin is too small, the aggregate is verified without
// it.
constexpr const char* kTimeMargin = "1 hour";

std::string CreatedFrom(Session& session, const ledger::EventTable& table, const std::string& type,
                        const Uuid& id, std::int64_t version) {
  const Result found =
      session.Exec("SELECT quote_literal(created_at - interval '" + std::string(kTimeMargin) +
                       "') || '::timestamptz' AS created_from FROM " + table.name +
                       " WHERE aggregate_type = $1 AND aggregate_id = $2 AND " + table.version +
                       " = $3::bigint LIMIT 1",
                   {type, UuidValue(id), version});
  return found.rows() == 0 ? "" : found[0].Get<std::string>("created_from");
}

using Runs = std::vector<DetachedRun>;

AggregateReport Summarise(ChainReport&& chains, const std::optional<SnapshotStart>& start,
                          const Runs& runs) {
  AggregateReport report;
  report.valid = chains.broken_count == 0;
  if (!chains.broken.empty()) report.broken_at_version = chains.broken[0].broken_at_version;
  report.event_count = chains.events_in_valid_prefixes;
  if (start) {
    report.snapshot_version = start->version;
    report.verified_from = start->version;
    report.event_count += start->version - 1;
    for (const DetachedRun& run : runs) {
      if (run.first >= start->version) continue;
      report.event_count -= std::min(run.last, start->version - 1) - run.first + 1;
    }
  }
  report.findings = std::move(chains.findings);
  return report;
}

Finding FindingOf(std::string_view kind, const std::string& type, const Uuid& id,
                  std::int64_t version, std::string expected, std::string found) {
  Finding finding;
  finding.kind = kind;
  finding.step = "chains";
  finding.aggregate_type = type;
  finding.aggregate_id = ToText(id);
  finding.version = version;
  finding.expected = std::move(expected);
  finding.found = std::move(found);
  return finding;
}

// Of an aggregate without any event but those in detached partitions.
AggregateReport OnlyDetached(const std::string& type, const Uuid& id, const Runs& runs) {
  AggregateReport report;
  const std::int64_t next = runs.front().last + 1;
  const std::optional<Bridge> bridge = FindBridge(runs, next);
  if (!bridge) {
    report.findings.push_back(FindingOf(kind::kVersionGap, type, id, next, "1 and those after it",
                                        "a gap between detached partitions"));
  } else if (!bridge->found.empty()) {
    report.findings.push_back(
        FindingOf(kind::kLinkMismatch, type, id, next, bridge->expected, bridge->found));
  }
  report.valid = report.findings.empty();
  if (!report.valid) report.broken_at_version = next;
  return report;
}

void AddDetached(AggregateReport& report, const Runs& runs, std::int64_t last_version) {
  const auto highest = std::find_if(runs.begin(), runs.end(), [&](const DetachedRun& run) {
    return last_version == 0 || run.last < last_version;
  });
  if (highest == runs.end()) return;
  report.detached_through = highest->last;
  report.verified_from = std::max(report.verified_from, highest->last + 1);
}

const DetachedRun* RunWith(const Runs& runs, std::int64_t version) {
  const auto found = std::find_if(runs.begin(), runs.end(),
                                  [&](const DetachedRun& run) { return run.Contains(version); });
  return found == runs.end() ? nullptr : &*found;
}

}  // namespace

ChainReport VerifyChains(const summa_sql_v1* sql, const VerifyOptions& options) {
  Session session(sql, options.database);
  Plan plan;
  plan.table = ledger::FindEvents(session);
  plan.looks_back = options.created_since.has_value();
  plan.snapshots =
      options.from_snapshots && !plan.looks_back && HasSnapshots(session, options.snapshot_table);
  const std::int64_t rows = EstimatedRows(session, plan.table);
  plan.ranges = PlanRanges(session, plan.table, RowsPerRange(options), rows);
  Clip(plan.ranges, options.aggregates_from, options.aggregates_to);
  ChainReport report = Execute(sql, options, plan, rows);
  IdentifyEvents(session, plan.table, report.findings);
  return report;
}

AggregateReport VerifyAggregate(const summa_sql_v1* sql, const VerifyOptions& options,
                                const std::string& aggregate_type, const Uuid& aggregate_id,
                                const std::optional<SnapshotStart>& start) {
  Session session(sql, options.database);
  Plan plan;
  plan.table = ledger::FindEvents(session);
  const Extent extent =
      ExtentOf(session, plan.table, aggregate_type, aggregate_id, start.has_value());
  const std::int64_t last = extent.last.value_or(0);
  const Runs runs =
      Detached::Find(session, plan.table).RunsOf(session, aggregate_type, aggregate_id, INT64_MAX);
  if (const DetachedRun* run = start ? RunWith(runs, start->version) : nullptr) {
    AggregateReport report = VerifyAggregate(sql, options, aggregate_type, aggregate_id);
    if (run->last == start->version && run->last_hash != start->hash) {
      report.valid = false;
      report.broken_at_version = start->version;
      report.findings.push_back(FindingOf(kind::kSnapshotMismatch, aggregate_type, aggregate_id,
                                          start->version, start->hash, run->last_hash));
    }
    return report;
  }
  const std::int64_t from = start ? start->version : 1;
  const bool begins = extent.first == 1 || FindBridge(runs, extent.first.value_or(0));
  // Missing events that a snapshot names are reported by the snapshot check.
  const bool usable = start && begins && last >= start->version;
  plan.ranges =
      PiecesOf(aggregate_type, aggregate_id, from, std::max(last, from), RowsPerRange(options));
  if (usable) {
    plan.start = start;
    if (plan.table.partitioned) {
      plan.created_from =
          CreatedFrom(session, plan.table, aggregate_type, aggregate_id, start->version);
    }
  }
  AggregateReport report;
  if (last == 0 && !runs.empty()) {
    report = OnlyDetached(aggregate_type, aggregate_id, runs);
  } else if (!start || usable) {
    ChainReport chains = Execute(sql, options, plan, std::max<std::int64_t>(last - from, 0));
    IdentifyEvents(session, plan.table, chains.findings);
    report = Summarise(std::move(chains), plan.start, runs);
  }
  AddDetached(report, runs, last);
  report.exists = extent.last || !runs.empty();
  if (!start || (usable && report.valid)) return report;

  // Not possible from the snapshot: verified in full; the problem of the snapshot stays a finding.
  AggregateReport full = VerifyAggregate(sql, options, aggregate_type, aggregate_id);
  std::vector<Finding> mismatches = std::move(report.findings);
  std::erase_if(mismatches, [](const Finding& f) { return f.kind != kind::kSnapshotMismatch; });
  if (!usable && last < start->version) {
    mismatches.push_back(FindingOf(kind::kSnapshotMismatch, aggregate_type, aggregate_id,
                                   start->version, start->hash, "no such event"));
  }
  if (!mismatches.empty()) {
    full.valid = false;
    if (!full.broken_at_version) full.broken_at_version = start->version;
  }
  full.findings.insert(full.findings.begin(), mismatches.begin(), mismatches.end());
  return full;
}

}  // namespace summa::verify
