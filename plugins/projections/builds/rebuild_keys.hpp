// Makes the rows of single accounts or transactions anew, in the build that is read: what a person
// does who finds one row wrong. Others see the old rows or the new ones.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <summa/sql.hpp>

#include "engine/catalog.hpp"

namespace summa::projections {

struct RebuiltKeys {
  std::int64_t keys = 0, events = 0;
};

// The keys of all events from one position to another. Throws SH-0566 when there are too many.
std::set<Uuid> KeysBetween(const summa_sql_v1* sql, const Applier& applier, std::int64_t from,
                           std::int64_t to);

// Each key in a transaction of its own, in which the projection makes no other progress. A key that
// is paused is tried as a whole and no longer paused. `progress` gets the number of keys and
// returns true to stop (SH-0558). Throws SH-0566 when the projection cannot, SH-0568 when events of
// a key have left the ledger.
RebuiltKeys RebuildKeys(const summa_sql_v1* sql, const Applier& applier, const std::set<Uuid>& keys,
                        const std::function<bool(std::int64_t)>& progress);

}  // namespace summa::projections
