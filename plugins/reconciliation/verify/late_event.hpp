// Tells a late commit from tampering. Positions are drawn before the commit, so a block that was
// made while a transaction was open does not hold its events though their positions lie inside.
// Without them the block's hash must be right to the last bit; that is the proof that nothing else
// changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace summa::verify {

// More work than this is not done for one block: about three seconds. A block of 11,000 events is
// searched whole, of a larger one the late events near its end are found.
inline constexpr std::int64_t kMaxHashedBytes = std::int64_t{4} << 30;
// Rows that are kept in memory to search in: 20 MB.
inline constexpr std::int64_t kMaxSearchedRows = 200'000;

struct SealedRow {
  std::string hash;
  std::int64_t created_at = 0;  // rows of one transaction have the same
};

// Which `count` rows (in the order of their positions) make the rest hash to `events_hash`: those
// of one transaction, or of two. Nothing: no such rows were found.
std::optional<std::vector<std::size_t>> FindLate(const std::vector<SealedRow>& rows,
                                                 std::size_t count, std::string_view events_hash);

}  // namespace summa::verify
