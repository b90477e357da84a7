// The table of hash snapshots: the columns of the plan's hash_snapshot, wherever it is kept.
#pragma once

#include "ranges.hpp"
#include "verify.hpp"

namespace summa::verify {

bool HasSnapshots(Session& session, const std::string& snapshot_table);
std::optional<SnapshotStart> LatestSnapshot(Session& session, const std::string& snapshot_table,
                                            const std::string& aggregate_type,
                                            const Uuid& aggregate_id);
// A subquery: the latest snapshot of each aggregate of the range.
std::string LatestSnapshots(const std::string& snapshot_table, const Range& range);

}  // namespace summa::verify
