// The read models that come with the plugin. Columns: docs/projections.md.
#pragma once

#include <memory>
#include <summa/projection.hpp>
#include <vector>

namespace summa::projections {

std::unique_ptr<Projection> MakeAccountBalance();
std::unique_ptr<Projection> MakeEntryRecord();
std::unique_ptr<Projection> MakeTransactionSummary();
std::unique_ptr<Projection> MakeHolderDashboard();

// All of them.
std::vector<std::unique_ptr<Projection>> MakeBuiltIn();

}  // namespace summa::projections
