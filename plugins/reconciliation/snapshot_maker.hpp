// Snapshots of hash chains: made only of what was verified from the last trusted point, and never
// changed. An existing snapshot is trusted only if the event at its version still carries its hash
// and that hash is right; else the chain is verified from its first event, and the difference is a
// finding.
#pragma once

#include <optional>
#include <string>
#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>
#include <vector>

#include "discrepancy.hpp"
#include "settings.hpp"
#include "work.hpp"

namespace summa::reconciliation {

struct Candidate {
  std::string aggregate_type;
  Uuid aggregate_id{};
  std::int64_t head_version = 0;
  std::int64_t snapshot_version = 0;  // of its latest snapshot; 0: it has none
  std::string snapshot_hash;
};

struct SnapshotOutcome {
  std::int64_t created = 0, already_current = 0, refused = 0, skipped = 0, events = 0;
  Findings findings;
};

class SnapshotMaker {
 public:
  // `sql`: of the holder of the lease of hash-snapshot-creator.
  SnapshotMaker(const summa_sql_v1* sql, Work& work, const Settings& settings)
      : sql_(sql), work_(work), settings_(settings) {}

  // The aggregates that have grown by `snapshot_after_events` since their last snapshot: found
  // among the events that are new since the last search.
  SnapshotOutcome CatchUp();
  // All aggregates that have at least `min_events` more events than their last snapshot, in
  // transactions of `batch` aggregates.
  SnapshotOutcome CreateAll(std::int64_t min_events, std::int64_t batch);

 private:
  struct Made {
    Candidate of;
    std::string hash;
    std::int64_t position = 0, verified_from = 0;
  };

  std::vector<Candidate> Page(Session& session, const ledger::EventTable& table,
                              const Candidate& after, std::int64_t batch) const;
  // Verifies them in one snapshot of the database, then writes what is valid.
  void Make(std::span<const Candidate> candidates, SnapshotOutcome& outcome);
  void Write(const std::vector<Made>& made, SnapshotOutcome& outcome);

  const summa_sql_v1* sql_;
  Work& work_;
  const Settings& settings_;
};

}  // namespace summa::reconciliation
