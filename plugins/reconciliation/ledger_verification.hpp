// Step 3 and more: every hash of every event, the blocks and their seals, and the snapshots.
#pragma once

#include <optional>
#include <summa/sql.hpp>

#include "report.hpp"
#include "settings.hpp"
#include "verify/verify.hpp"
#include "work.hpp"

namespace summa::reconciliation {

struct VerificationScope {
  bool from_snapshots = false;
  // Only what was created or made since then (microseconds since 2000); nothing: everything.
  std::optional<std::int64_t> since;
};

struct VerificationResult {
  verify::ChainReport chains;
  verify::SnapshotReport snapshots;
  std::int64_t blocks_verified = 0, blocks_valid = 0;
  std::int64_t blocks_detached = 0;  // with events in detached partitions; none of the above
  std::vector<verify::BlockFailure> block_failures;
  // Everything that was found, in the shape of the command line; late events included.
  Findings findings;
  // Of them, events that are in no block and not sealed by themselves: positions.
  std::vector<std::int64_t> late;
  // Why it does not tell of the whole ledger; empty: it does, or of all that was asked for.
  std::string incomplete;

  EventsReport Report() const;
};

// What the verification is told: rates, connections, stopping, progress.
verify::VerifyOptions OptionsFor(const Work& work, const Settings& settings);

// All of it. Reads only.
VerificationResult VerifyLedger(const summa_sql_v1* sql, Work& work, const Settings& settings,
                                const VerificationScope& scope);

// Blocks with their seals, and the late events.
void VerifyBlocksAndSeals(const summa_sql_v1* sql, Work& work, const Settings& settings,
                          const VerificationScope& scope, VerificationResult& result);

}  // namespace summa::reconciliation
