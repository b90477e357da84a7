// The tables of a build and the views that readers use.
#pragma once

#include <string>
#include <string_view>
#include <summa/projection.hpp>
#include <summa/sql.hpp>
#include <vector>

#include "engine/build.hpp"

namespace summa::projections {

// "summa_read.account_balance_view_1"
std::string TableOfBuild(std::string_view table, int build);

// Empty tables, without indexes beyond those of their constraints. In the caller's transaction.
void CreateTables(Session& read, const summa_projection& projection, int build);
// Those that are missing; in the caller's transaction.
void CreateIndexes(Session& read, const summa_projection& projection, int build);
// Readers see this build from now on. Rights on the view, and views on it, stay, as long as the
// columns of the earlier build come first; otherwise the view is made anew, with its rights.
void ShowBuild(Session& read, const summa_projection& projection, int build);
// "account_balance_view": the tables of the projection, without the number.
std::vector<std::string> TableNames(const summa_projection& projection);
// With its progress. In the caller's transaction.
void DropBuild(Session& read, const Build& build);

}  // namespace summa::projections
