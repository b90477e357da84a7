// Positions up to which no transaction can add an event any more.
#pragma once

#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace summa::maintenance {

struct Sealed {
  std::optional<std::int64_t> position;
  std::string in_the_way;  // who has not ended, when there is no position
};

// The highest position that is visible in `table` (quoted) and below which no open transaction can
// still commit one: everybody who writes to it, or to one of `tree` (oids), at this moment has
// ended when this returns. Numbers that a writer draws by hand, long before its INSERT, are not
// covered. No position: told to stop, or a writer has not ended within `patience`. The session must
// not be in a transaction.
Sealed SealedPosition(Session& session, const WorkCaller& caller, const std::string& table,
                      const std::string& position, const std::vector<std::int64_t>& tree,
                      std::chrono::microseconds patience);

}  // namespace summa::maintenance
