#include "metrics.hpp"

#include "block_sealer.hpp"
#include "rolling.hpp"
#include "snapshot_maker.hpp"

namespace summa::reconciliation {
namespace {

double Real(std::int64_t value) { return static_cast<double>(value); }

}  // namespace

void Metrics::Verified(double events) const {
  host_.Counter("summa_verification_events_total", "Events whose hash was computed again.")
      .Add(events);
}

void Metrics::Found(std::string_view worker, const Findings& findings) const {
  host_
      .Gauge("summa_verification_findings",
             "Number of findings of the last run of a worker on this host.", {{"worker", worker}})
      .Set(Real(findings.count()));
}

void Metrics::Reconciled(const RunState& run, double seconds) const {
  host_
      .Counter("summa_reconciliation_runs_total",
               "Finished runs by status: healthy, mismatches_found, incomplete.",
               {{"status", run.Status()}})
      .Add();
  host_.Histogram("summa_reconciliation_duration_seconds", "Duration of a whole run.")
      .Observe(seconds);
  host_.Counter("summa_reconciliation_entries_total", "Entries that were read by runs.")
      .Add(Real(run.books.entries));
  ForEachPart(run, [&](const char* part, const Findings& findings) {
    host_
        .Gauge("summa_reconciliation_mismatches",
               "Number of findings of the last run of this host, by check: transactions, "
               "duplicates, order, accounts, system_accounts, blocks, events.",
               {{"check", part}})
        .Set(Real(findings.count()));
  });
  Verified(Real(run.chains.events));
}

void Metrics::Sealed(const SealOutcome& outcome) const {
  host_.Counter("summa_blocks_total", "Blocks created.").Add(Real(outcome.blocks));
  host_.Counter("summa_late_events_total", "Events that appeared below the last block.")
      .Add(Real(outcome.late));
  host_.Gauge("summa_sealed_position", "Position of the last event that is in a block.")
      .Set(Real(outcome.sealed_position));
  host_.Gauge("summa_unsealed_events", "Events after the last block, counted when it was created.")
      .Set(Real(outcome.waiting_events));
  Verified(Real(outcome.events));
}

void Metrics::Snapshotted(const SnapshotOutcome& outcome) const {
  const auto count = [&](const char* what, std::int64_t snapshots) {
    host_
        .Counter("summa_snapshots_total",
                 "Snapshots: created, or refused because the chain is not valid.",
                 {{"outcome", what}})
        .Add(Real(snapshots));
  };
  count("created", outcome.created);
  count("refused", outcome.refused);
  Verified(Real(outcome.events));
}

void Metrics::Rolled(const RollingOutcome& outcome) const {
  host_
      .Gauge("summa_oldest_unverified_age_seconds",
             "Age of the oldest verification in the ledger; stays below `full_cycle`.")
      .Set(outcome.oldest_unverified_age_seconds);
  if (outcome.part.rfind("chains/", 0) == 0) Verified(Real(outcome.rows));
}

}  // namespace summa::reconciliation
