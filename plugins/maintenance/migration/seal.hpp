// Positions up to which no transaction can add an event any more.
#pragma once

#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace summa::maintenance {

// The highest position that is visible in `table` (quoted) and below which no open transaction can
// still commit one: everybody who writes to it, or to one of `tree` (oids), at this moment has
// ended when this returns. Numbers that a writer draws by hand, long before its INSERT, are not
// covered. Nothing: told to stop, or a writer has not ended within `patience`. The session must not
// be in a transaction.
std::optional<std::int64_t> SealedPosition(Session& session, const WorkCaller& caller,
                                           const std::string& table, const std::string& position,
                                           const std::vector<std::int64_t>& tree,
                                           std::chrono::microseconds patience);

}  // namespace summa::maintenance
