// What a verification found, in the words of scripts that rely on it.
#pragma once

#include <summa/json.hpp>
#include <summa/sql.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace summa::verify {

// The closed list of kinds; a reconciliation adds those of its steps (step0_double_entry ...).
namespace kind {
// The hash of the event is not that of its data and previous hash: this event was changed.
inline constexpr std::string_view kEventHashMismatch = "event_hash_mismatch";
// The previous hash of the event is not the hash of its predecessor: one of the two was changed.
inline constexpr std::string_view kLinkMismatch = "link_mismatch";
inline constexpr std::string_view kVersionGap = "version_gap";  // events before it are gone
inline constexpr std::string_view kVersionDuplicate =
    "version_duplicate";                                            // one version, two events
inline constexpr std::string_view kMissingFirst = "missing_first";  // the aggregate begins later
// The hashes below a block are not those it was made from.
inline constexpr std::string_view kBlockHashMismatch = "block_hash_mismatch";
inline constexpr std::string_view kBlockLinkMismatch = "block_link_mismatch";
inline constexpr std::string_view kBlockCoverageGap =
    "block_coverage_gap";  // in no block, or it is gone
// Committed after its block was made, under a number that the block spans. All that was sealed is
// intact; this event was not sealed.
inline constexpr std::string_view kLateEvent = "late_event";
inline constexpr std::string_view kSnapshotMismatch = "snapshot_mismatch";
// Events and the ledger's own tables tell different stories: one of them was changed.
inline constexpr std::string_view kEventContradictsLedger = "event_contradicts_ledger";
}  // namespace kind

// Empty texts and absent numbers mean: not known, or not of this kind. Ids are UUIDs as text.
struct Finding {
  std::string kind;
  std::string step;  // chains | snapshots | blocks | ledger, or a step of the reconciliation
  std::string aggregate_type, aggregate_id;
  std::optional<std::int64_t> version;
  std::string event_id;
  std::optional<std::int64_t> position;
  std::optional<std::int64_t> block_sequence;
  std::string account_id, transaction_id;
  std::string expected, found;
  std::vector<std::string> candidates;  // ids of events, when the one is not provable
};

// One JSON object with every member of the contract; null for what is empty.
void Write(JsonWriter& json, const Finding& finding);

}  // namespace summa::verify
