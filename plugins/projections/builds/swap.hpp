// Which build readers see. A change is one short transaction: the views and the roles.
#pragma once

#include <string>
#include <summa/sql.hpp>

#include "engine/catalog.hpp"

namespace summa::projections {

// Lets readers see the build of the role `from` ("next" or "old"); the live one becomes old. What
// was old before is removed, unless it is what comes back. Returns why it cannot be done now: the
// two are not at the same place, or somebody reads at this moment; empty: done.
std::string TrySwap(Session& read, const Catalog& catalog, const std::string& projection,
                    const std::string& from);

}  // namespace summa::projections
