#include "snapshot_table.hpp"

namespace summa::verify {

bool HasSnapshots(Session& session, const std::string& snapshot_table) {
  if (snapshot_table.empty()) return false;
  return session.Exec("SELECT to_regclass($1) IS NOT NULL", {snapshot_table}).Value<bool>();
}

std::optional<SnapshotStart> LatestSnapshot(Session& session, const std::string& snapshot_table,
                                            const std::string& aggregate_type,
                                            const Uuid& aggregate_id) {
  const Result found = session.Exec(
      "SELECT snapshot_version::bigint, snapshot_hash FROM " + snapshot_table +
          " WHERE aggregate_type = $1 AND aggregate_id = $2 ORDER BY snapshot_version DESC LIMIT 1",
      {aggregate_type, UuidValue(aggregate_id)});
  if (found.rows() == 0) return std::nullopt;
  return SnapshotStart{found[0].Get<std::int64_t>("snapshot_version"),
                       found[0].Get<std::string>("snapshot_hash")};
}

std::string LatestSnapshots(const std::string& snapshot_table, const Range& range) {
  Range ids = range;
  ids.version_from.reset();
  ids.version_to.reset();
  return "(SELECT DISTINCT ON (e.aggregate_id) e.aggregate_id, e.snapshot_version, e.snapshot_hash "
         "FROM " +
         snapshot_table + " e WHERE " + Condition({}, ids) +
         " ORDER BY e.aggregate_id, e.snapshot_version DESC)";
}

}  // namespace summa::verify
