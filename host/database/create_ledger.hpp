// A new ledger of the plan's layout.
#pragma once

#include <string>

#include "host/database/control_connection.hpp"

namespace summa::host {

// Creates its tables in `schema`, all or none. SH-0422 when the database holds any table of
// somebody else; our own schemas may be there.
void CreatePlanLedger(ControlTransaction& transaction, const std::string& schema);

}  // namespace summa::host
