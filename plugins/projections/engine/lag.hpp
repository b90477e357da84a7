// How far builds are behind the store, for metrics, /readyz and verbs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>
#include <vector>

#include "engine/build.hpp"

namespace summa::projections {

struct Lag {
  std::int64_t head = 0;    // highest visible position
  std::int64_t events = 0;  // positions behind it, those in holes not counted
  double seconds = 0;       // age of the oldest event that is not applied; 0: none is visible
};

// In the order of `builds`.
std::vector<Lag> ReadLag(Session& ledger, const ledger::EventTable& table,
                         std::span<const Build> builds);

}  // namespace summa::projections
