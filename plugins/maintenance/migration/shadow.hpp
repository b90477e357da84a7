// The partitioned table that takes the place of the flat one: all ranges of its history, some
// ahead, and a partition for what is outside of them, so that a mirrored row always finds a place.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "migration/inventory.hpp"
#include "migration/record.hpp"
#include "partition/catalog.hpp"
#include "partition/interval.hpp"

namespace summa::maintenance {

struct ShadowRequest {
  Interval interval = Interval::kMonthly;
  int ahead = 3;
  // Strategy attach: the first partition begins here, and what is before has no partition yet.
  std::optional<DatabaseTime> bound;
  // Of its slices: the last one ends here. They keep the CHECK of their bounds, with which each can
  // become a partition of another table at once.
  std::optional<DatabaseTime> end;
};

// The ranges of the flat table's history, of which the last ends at `end`. SH-0827 when there are
// too many. Reads the whole table when created_at has no index.
std::vector<Range> RangesUntil(Session& session, const Inventory& flat, Interval interval,
                               DatabaseTime end);

// SH-0827 when the table would have too many partitions.
void RequireFewPartitions(Session& session, const Inventory& flat, const ShadowRequest& request);

// Creates it, empty and without indexes, with the owner, the grants, the comments and the options
// of the flat table. What the flat table is called in the inventory names all of them. In the open
// transaction. Returns its oid. SH-0822 when a table of its name, or
// of one of its partitions, exists already.
std::int64_t CreateShadow(Session& session, const Inventory& flat, const ShadowRequest& request);

// SH-0822: the migration needs this name.
[[noreturn]] void ThrowNameTaken(const std::string& schema, const std::string& name);

}  // namespace summa::maintenance
