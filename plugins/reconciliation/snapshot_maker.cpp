#include "snapshot_maker.hpp"

#include <algorithm>
#include <summa/crash_point.hpp>
#include <summa/ledger/reader.hpp>

#include "chain_verifier.hpp"
#include "reconciliation_sql.hpp"
#include "statement.hpp"
#include "verify/finding.hpp"

namespace summa::reconciliation {
namespace {

// Aggregates that the worker verifies for one transaction: little is lost when it dies.
constexpr std::int64_t kWorkerBatch = 100;
// New events in which one statement looks for grown aggregates.
constexpr std::int64_t kSearchStep = 1'000'000;

std::vector<Candidate> ReadCandidates(const Result& rows) {
  std::vector<Candidate> candidates(rows.rows());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Row row = rows[i];
    candidates[i].aggregate_type = row.Get<std::string>("aggregate_type");
    candidates[i].aggregate_id = row.Get<Uuid>("aggregate_id");
    candidates[i].head_version = row.Get<std::int64_t>("version");
    candidates[i].snapshot_version = row.Get<std::int64_t>("snapshot_version");
    candidates[i].snapshot_hash = row.Get<std::string>("snapshot_hash");
  }
  return candidates;
}

}  // namespace

SnapshotOutcome SnapshotMaker::CreateAll(std::int64_t min_events, std::int64_t batch) {
  SnapshotOutcome outcome;
  Session session(sql_);
  const ledger::EventTable table = ledger::FindEvents(session);
  Candidate after;
  std::int64_t seen = 0;
  for (;;) {
    std::vector<Candidate> page = Page(session, table, after, batch);
    if (page.empty()) return outcome;
    after = page.back();
    seen += static_cast<std::int64_t>(page.size());
    std::erase_if(page, [&](const Candidate& candidate) {
      const std::int64_t more = candidate.head_version - candidate.snapshot_version;
      if (more >= std::max<std::int64_t>(min_events, 1)) return false;
      ++(more == 0 ? outcome.already_current : outcome.skipped);
      return true;
    });
    Make(page, outcome);
    work_.Progress("aggregates", seen, 0);
  }
}

SnapshotOutcome SnapshotMaker::CatchUp() {
  SnapshotOutcome outcome;
  Session session(sql_);
  const ledger::EventTable table = ledger::FindEvents(session);
  auto from =
      session.Exec(sql::snapshot_search, {settings_.snapshot_after_events}).Value<std::int64_t>();
  // What can still appear below is not skipped; the next run waits for a writer that stays.
  const std::optional<std::int64_t> until =
      ledger::WaitForHorizon(session, table, settings_.timeout,
                             [&](std::chrono::microseconds time) { return work_.Wait(time); });
  while (until && from < *until) {
    const std::int64_t to = std::min(from + kSearchStep, *until);
    std::vector<Candidate> grown = ReadCandidates(session.Exec(
        ForTable(sql::grown_aggregates, table), {from, to, settings_.snapshot_after_events}));
    const std::span<const Candidate> all(grown);
    for (std::size_t at = 0; at < all.size(); at += kWorkerBatch) {
      Make(all.subspan(at, std::min<std::size_t>(kWorkerBatch, all.size() - at)), outcome);
    }
    from = to;
    session.Begin();
    session.Exec(sql::snapshot_search_save, {from, settings_.snapshot_after_events});
    session.Commit();
    work_.ThrowIfStopped();
  }
  return outcome;
}

std::vector<Candidate> SnapshotMaker::Page(Session& session, const ledger::EventTable& table,
                                           const Candidate& after, std::int64_t batch) const {
  return ReadCandidates(session.Exec(ForTable(sql::all_aggregates, table),
                                     {after.aggregate_type, UuidValue(after.aggregate_id), batch}));
}

void SnapshotMaker::Make(std::span<const Candidate> candidates, SnapshotOutcome& outcome) {
  if (candidates.empty()) return;
  std::vector<Made> made;
  made.reserve(candidates.size());
  {
    Session session(sql_);
    const ledger::EventTable table = ledger::FindEvents(session);
    work_.GiveWay(session);
    session.Begin(SUMMA_SQL_READ_ONLY | SUMMA_SQL_REPEATABLE_READ);
    // Before the snapshot is taken: without the lock a detach could end while the chains are read.
    session.Exec("LOCK TABLE " + table.name + " IN ACCESS SHARE MODE");
    ChainVerifier verifier(session, work_, table, settings_.hmac_secret);
    for (const Candidate& candidate : candidates) {
      std::optional<ChainPoint> trusted;
      if (candidate.snapshot_version > 0) {
        trusted = ChainPoint{candidate.snapshot_version, candidate.snapshot_hash};
      }
      const ChainResult chain =
          verifier.Verify(candidate.aggregate_type, candidate.aggregate_id, trusted);
      outcome.events += chain.events;
      if (!chain.valid || chain.events == 0) {
        ++outcome.refused;
        outcome.findings.Add(chain.broken);
        if (!trusted) continue;
        // What the snapshot vouched for is in doubt: the first event that is wrong is named.
        const ChainResult whole =
            verifier.Verify(candidate.aggregate_type, candidate.aggregate_id, std::nullopt);
        outcome.events += whole.events;
        if (!whole.valid && whole.broken.version != chain.broken.version) {
          outcome.findings.Add(whole.broken);
        }
        continue;
      }
      if (chain.head.version <= candidate.snapshot_version) {
        ++outcome.already_current;
        continue;
      }
      Made snapshot{candidate, chain.head.hash, chain.position,
                    std::max(candidate.snapshot_version, chain.detached_through)};
      snapshot.of.head_version = chain.head.version;
      made.push_back(std::move(snapshot));
    }
  }
  Write(made, outcome);
}

void SnapshotMaker::Write(const std::vector<Made>& made, SnapshotOutcome& outcome) {
  if (made.empty()) return;
  Session session(sql_);
  session.Begin();
  for (const Made& snapshot : made) {
    outcome.created += session
                           .Exec(sql::snapshot_insert,
                                 {snapshot.of.aggregate_type, UuidValue(snapshot.of.aggregate_id),
                                  snapshot.of.head_version, snapshot.hash, snapshot.position,
                                  snapshot.verified_from})
                           .affected_rows();
  }
  CrashPoint("reconciliation.snapshot");
  session.Commit();
  CrashPoint("reconciliation.snapshotted");
}

}  // namespace summa::reconciliation
