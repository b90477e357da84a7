// Which build readers see. A change is one short transaction: the views and the roles.
#pragma once

#include <string>
#include <string_view>
#include <summa/sql.hpp>
#include <vector>

#include "engine/catalog.hpp"

namespace summa::projections {

// The build of this role; nullptr: there is none.
const Build* FindRole(const std::vector<Build>& builds, std::string_view projection,
                      std::string_view role);

// Lets readers see the build of the role `from` ("next" or "old"); the live one becomes old. What
// was old before is removed, unless it is what comes back. Returns why it cannot be done now: the
// two are not at the same place, or somebody reads at this moment; empty: done.
std::string TrySwap(Session& read, const Catalog& catalog, const std::string& projection,
                    const std::string& from);

// Removes a build with its tables, in the caller's transaction.
void DropBuild(Session& read, const Catalog& catalog, const Build& build);

}  // namespace summa::projections
